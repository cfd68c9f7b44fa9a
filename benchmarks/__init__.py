"""Measurements of speed, memory and quality; nothing here is installed."""
