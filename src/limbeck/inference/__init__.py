"""From texts to predictions with a trained model."""
