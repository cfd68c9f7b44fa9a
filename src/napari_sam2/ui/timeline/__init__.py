"""The timeline: what is prompted, tracked, stale, locked."""
