"""What other trackers made, read as masklets with their lineage."""
