"""Time and objects: a movie is a stream of frames, a memory bank of fixed size."""
