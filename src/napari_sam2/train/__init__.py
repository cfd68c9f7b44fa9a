"""Training: losses, clips and the trainer of the bundled model."""
