"""Data: the labelled texts that every later step shares, and what is done with them: names, splits, writing."""
