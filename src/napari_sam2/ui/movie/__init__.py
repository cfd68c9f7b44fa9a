"""The choice of a movie: layer, axes, channels."""
