"""One training step: passes, losses, clip memory."""
