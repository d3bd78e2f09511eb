"""Judges methods at hidden sites."""
