"""Movies on disk or in memory as frames: axes, intensities, calibration."""
