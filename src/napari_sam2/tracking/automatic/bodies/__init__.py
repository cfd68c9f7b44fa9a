"""What is one body, and what are two: by masks, sizes and the picture."""
