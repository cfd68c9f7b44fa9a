"""The panel that tracks and repairs."""
