"""Many movies as one document: what is tracked where, and what it will take."""
