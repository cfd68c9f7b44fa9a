"""The dock *SAM 2 Train*."""
