"""Encoders and models by name: presets and hub ids."""
