"""Validation: scores, pictures, curves, trust."""
