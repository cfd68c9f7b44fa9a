"""The network: tensors in, tensors out; no time, no files but checkpoints."""
