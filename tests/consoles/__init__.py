"""Consoles: tickets, what may pass, sharing, and the socket from one end to the other."""
