"""From what people do to edits of the book and jobs of the worker."""
