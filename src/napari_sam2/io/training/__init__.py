"""Pictures and movies with truth, for training."""
