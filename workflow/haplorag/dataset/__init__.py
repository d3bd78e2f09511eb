"""Batches, cut from windows, masks and neighbours."""
