"""What is done where the network runs, and how it comes there and back."""
