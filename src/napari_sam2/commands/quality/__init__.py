"""Commands that measure models: on data sets, and on a session of your own."""
