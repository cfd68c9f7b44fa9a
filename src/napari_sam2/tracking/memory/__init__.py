"""The memory bank: slots, tensors, snapshots, and its size in bytes."""
