"""Plans: frames, gaps, walks, resolution. Arithmetic on frame numbers."""
