"""The choice of a model, and of the device that runs it."""
