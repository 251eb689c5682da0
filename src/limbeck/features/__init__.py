"""Features: pooled hidden states of a frozen encoder, cached by content."""
