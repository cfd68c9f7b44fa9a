"""Everything without a click: masks of a frame, tried out, and objects of a movie."""
