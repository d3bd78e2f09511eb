"""haplorag: imputes genotypes with a retrieval-augmented haplotype transformer."""

import os

# Threads that spin while they wait make shared cores several times slower. Libraries look when they
# are loaded, which is after this.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
