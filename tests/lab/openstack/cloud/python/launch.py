"""Run an OpenStack service from its Python package.

    launch.py nova.cmd.compute:main --config-file /path/nova.conf

Debian splits the console scripts over packages that also bring service files,
debconf questions and, for nova-compute, a whole hypervisor.  Starting the entry
point directly needs only the python3-* packages.
"""

import importlib
import os
import sys


def main() -> None:
    target = sys.argv.pop(1)
    module_name, function_name = target.split(":")
    sys.argv[0] = module_name.replace(".cmd.", "-")  # e.g. nova-compute
    if module_name.startswith("nova."):
        # Nova loads compute drivers only from below nova.virt: let it see ours.
        import nova.virt

        nova.virt.__path__.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "nova_virt"))
    module = importlib.import_module(module_name)
    sys.exit(getattr(module, function_name)())


if __name__ == "__main__":
    main()
