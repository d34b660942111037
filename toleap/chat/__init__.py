"""Talking to a model: the client (the hot path), the dialects and the model profiles."""
