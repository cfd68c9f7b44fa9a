"""The layer of the masklets, and where they are written."""
