"""Many movies without a window."""
