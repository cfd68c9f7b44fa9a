"""Plots of what was measured over time."""
