"""The controller: prompts, plans and the generator that runs them. No Qt, no files."""
