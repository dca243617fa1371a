"""Addresses that a machine finds in its own disk: files written into its overlay, on the worker, while it is off."""
