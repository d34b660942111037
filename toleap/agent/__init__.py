"""The agent loop and its prompts."""
