"""What came of a batch: numbers, pictures, a page."""
