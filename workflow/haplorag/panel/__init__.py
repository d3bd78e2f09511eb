"""The reference panel: samples, genotypes, frequencies, windows and packed haplotypes."""
