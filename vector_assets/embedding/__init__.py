"""Embedders. Heavy libraries are imported inside functions only."""
