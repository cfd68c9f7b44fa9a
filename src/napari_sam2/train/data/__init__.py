"""Clips for training: examples, motion, appearance, prompts, batches."""
