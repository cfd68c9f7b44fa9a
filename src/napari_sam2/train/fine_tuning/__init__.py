"""Fine-tuning on the movie at hand."""
