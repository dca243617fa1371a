"""The console's pages for hypervisors: list, overview, a form made from the driver's declaration, connection test.

Superusers only. Nothing here saves a model: every change goes through `hypervisors.actions`.
"""

from __future__ import annotations

from hypervisors.admin.pages import HypervisorAdmin

__all__ = ["HypervisorAdmin"]
