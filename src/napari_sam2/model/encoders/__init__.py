"""What pictures and memories go through before anything is attended to."""
