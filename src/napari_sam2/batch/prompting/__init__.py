"""What is tracked in movies that nobody prompted one by one: prompt policies."""
