"""Data: files become a Dataset, the labelled texts that every later step shares."""
