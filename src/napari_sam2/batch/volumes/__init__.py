"""Movies of stacks: in z at the time of the prompts, then each plane in time."""
