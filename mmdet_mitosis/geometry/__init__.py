"""Shapes and windows: pure functions."""
