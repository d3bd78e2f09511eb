"""The parameters of Li and Stephens' model."""

from __future__ import annotations

# The chance of an allele that is not the copied one. Chosen on validation people, see
# docs/experiments.md.
MISMATCH = 3e-3
# However near two sites are: without any switch a weight once lost would never come back.
MIN_SWITCH = 1e-7
# Switches of the copied haplotype per cM, times the number of haplotypes in the panel: 4 Ne / 100
# with Ne = 3e5. Chosen on validation people, see docs/experiments.md.
SWITCHES_PER_CENTIMORGAN = 12000.0
