"""The client side of the tool layer."""
