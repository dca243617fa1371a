"""Most of the driver is tested without libvirt's library; what is not is left out where the library is missing."""

from __future__ import annotations

import importlib.util

NEED_IT = ["test_connection.py", "test_create.py", "test_driver.py", "test_pool.py", "test_starts.py"]
collect_ignore = [] if importlib.util.find_spec("libvirt") else NEED_IT
