"""Many movies on the command line, and as a task of workflow systems."""
