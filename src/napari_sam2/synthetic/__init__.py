"""Simulated microscopy movies with exact truth."""
