"""The network: tensors in, tensors out; it knows no time and no files but checkpoints."""
