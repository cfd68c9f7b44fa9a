"""Parts of the network that compute the same in fewer passes and calls, on CPUs."""
