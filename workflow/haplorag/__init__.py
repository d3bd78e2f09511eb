"""haplorag: imputes genotypes with a retrieval-augmented haplotype transformer."""
