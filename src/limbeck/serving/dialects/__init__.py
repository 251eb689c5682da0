"""Dialects: the routes and shapes of the servers whose clients limbeck answers, one file each."""
