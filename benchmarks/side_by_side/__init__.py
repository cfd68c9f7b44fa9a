"""Trackers on the same work, each in its own process, taking turns."""
