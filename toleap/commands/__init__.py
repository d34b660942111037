"""What each command does, one module per group; imported only when its command runs."""
