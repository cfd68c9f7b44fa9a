"""Masklets leave the window in the formats of other programs."""
