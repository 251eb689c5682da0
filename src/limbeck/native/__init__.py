"""The C++ tree: how it is built, and the libraries that it becomes."""
