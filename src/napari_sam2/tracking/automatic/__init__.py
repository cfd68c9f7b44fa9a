"""Masks of everything on a frame, and objects of a whole movie, without a prompt."""
