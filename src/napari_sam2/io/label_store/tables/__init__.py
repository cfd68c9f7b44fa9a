"""Tables of the frames: scores, measurements, digests; a row of each for a frame."""
