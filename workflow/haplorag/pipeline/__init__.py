"""How steps are called, logged, locked and rerun."""
