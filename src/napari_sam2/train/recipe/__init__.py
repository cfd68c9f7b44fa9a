"""Recipes: their fields, checks and files."""
