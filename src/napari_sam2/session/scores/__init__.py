"""What was measured of each object and frame, and how far to trust it."""
