"""Python's face: what `import limbeck` offers beyond the rooms' own functions, a verb each, over the same settings."""
