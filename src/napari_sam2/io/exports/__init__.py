"""Masklets in the formats of other programs, written frame by frame."""
