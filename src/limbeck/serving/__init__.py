"""Serving: a model behind HTTP, from a request to its answer."""
