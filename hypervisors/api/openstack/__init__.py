"""The service API of OpenStacks, below `/api/openstack/`: what is not one machine.

Lists come as `{"hypervisor", "source", "age_seconds", "error", "results"}`: of which cloud, whether it was heard just now
(`live`), lately (`cached`), or not at all (`last_known`, `predefined`, with the reason in `error`), and how old that is.
"""
