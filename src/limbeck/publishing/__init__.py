"""A trained model on the hub: what goes there, and the way there."""
