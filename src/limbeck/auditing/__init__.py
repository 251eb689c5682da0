"""The audit room: tells the truth about a dataset before anything is trained on it."""
