"""Model servers: starting, watching and stopping vLLM, the built-in model, and the scripted server."""
