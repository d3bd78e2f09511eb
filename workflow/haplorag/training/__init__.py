"""Trains networks: epochs, loss, checkpoints, validation."""
