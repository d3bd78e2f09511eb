"""Phases a target's genotypes against the panel."""
