"""Which model follows this movie: its own trusted masks are hidden and found again."""
