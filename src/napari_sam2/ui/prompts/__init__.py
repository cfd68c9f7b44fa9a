"""Prompts in layers and from files."""
