"""The run folder: what one training leaves, and how it is read again."""
