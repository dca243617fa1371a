"""Topologies of machines with networks of their own: drawn, planned, deployed anywhere, watched."""
