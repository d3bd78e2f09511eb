"""Files, whole or not at all: arrays, tables, metadata, checksums and what they were made from."""
