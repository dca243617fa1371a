"""Consoles in the browser: a WebSocket on one side, the hypervisor's stream on the other, and what may pass between."""
