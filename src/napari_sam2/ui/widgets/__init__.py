"""Qt pieces that know nothing of tracking."""
