"""Label review from end to end: which labels are probably wrong, what people decide about them, what that changes."""
