"""Tests of the questions to a Ray cluster."""
