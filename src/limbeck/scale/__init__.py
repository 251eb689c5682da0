"""More texts than one process should answer at once: work units, each of which becomes one file, whole or absent."""
