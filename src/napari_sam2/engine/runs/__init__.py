"""Runs of the tracker, and comparisons of its directions."""
