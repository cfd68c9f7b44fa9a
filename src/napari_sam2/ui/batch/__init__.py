"""The dock *SAM 2 Batch*."""
