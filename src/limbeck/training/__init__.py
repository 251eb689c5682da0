"""The loop of gradient steps, and all that it needs."""
