"""What a tracker can do besides in movies of a difficult kind, an option a file."""
