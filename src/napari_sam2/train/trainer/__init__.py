"""The trainer: optimiser, recorder, checkpoints, export."""
