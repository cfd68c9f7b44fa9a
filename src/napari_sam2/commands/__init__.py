"""The parts of the command line: options, progress, and the smaller commands."""
