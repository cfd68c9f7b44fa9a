"""Files that need an optional package: films, and microscopes' own formats."""
