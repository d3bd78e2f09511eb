"""Imputes a target with an imputer that travels."""
