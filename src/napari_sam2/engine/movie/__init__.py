"""A movie as the window shows it and the model sees it: axes, channels, pixels."""
