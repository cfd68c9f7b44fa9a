"""Weights as files: reading, registry, download, notes."""
