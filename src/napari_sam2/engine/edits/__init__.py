"""What follows from an edit: frames answered, cleared and written, and its step."""
