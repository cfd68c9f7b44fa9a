"""The protocols by which trackers of SAM 2's kind are measured, and their counting."""
