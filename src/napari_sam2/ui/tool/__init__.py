"""The SAM 2 tool on layers: gestures, preview."""
