"""Networks that read hidden alleles from typed sites and from retrieved haplotypes."""
