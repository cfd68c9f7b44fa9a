"""Plans: frames, gaps, sweeps, resolution. Arithmetic on frame numbers."""
