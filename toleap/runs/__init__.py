"""The store and the scheduler."""
