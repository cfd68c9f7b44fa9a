"""What is open: model, movie, masklets, and what is known of them."""
