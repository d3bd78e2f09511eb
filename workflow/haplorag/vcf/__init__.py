"""Reads and writes VCF and BCF."""
