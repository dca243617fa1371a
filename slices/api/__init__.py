"""Slices over HTTP."""
