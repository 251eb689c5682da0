"""The encoder, its weights, what stands on it, and the folder that keeps it."""
