"""Files: movies in, masklets out. Never torch."""
