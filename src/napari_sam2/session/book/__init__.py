"""What people said: objects, prompts, edits, and what is stale."""
