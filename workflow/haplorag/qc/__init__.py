"""Checks of inputs and of people: before a run, of new stores, duplicates and relatives."""
