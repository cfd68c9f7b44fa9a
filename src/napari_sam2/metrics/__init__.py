"""How good are masklets: J, F and track scores."""
