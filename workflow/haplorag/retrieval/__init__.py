"""Finds the reference haplotypes most alike."""
