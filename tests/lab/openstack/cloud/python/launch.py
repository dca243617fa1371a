"""Run an OpenStack service from its Python package.

    launch.py nova.cmd.compute:main --config-file /path/nova.conf

Debian splits the console scripts over packages that also bring service files,
debconf questions and, for nova-compute, a whole hypervisor.  Starting the entry
point directly needs only the python3-* packages.
"""

import importlib
import os
import sys


def see_our_compute_driver() -> None:
    """Nova loads compute drivers only from below nova.virt."""
    import nova.virt

    nova.virt.__path__.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "nova_virt"))


def load_relations_by_key() -> None:
    """What Neutron loads by subquery comes by `IN (...)`: the same rows for half of neutron-server's time.

    SQLAlchemy 1.4 composes the statement of a subquery anew for each load, from the whole of the query around it.
    """
    from sqlalchemy.orm.relationships import RelationshipProperty

    whole = RelationshipProperty.__init__

    def by_key(self, *args, **kwargs) -> None:
        whole(self, *args, **kwargs)
        if self.lazy == "subquery":
            self.lazy = "selectin"
            self.strategy_key = (("lazy", self.lazy),)

    RelationshipProperty.__init__ = by_key


BEFORE = {"nova": see_our_compute_driver, "neutron": load_relations_by_key}


def main() -> None:
    target = sys.argv.pop(1)
    module_name, function_name = target.split(":")
    sys.argv[0] = module_name.replace(".cmd.", "-")  # e.g. nova-compute
    if prepare := BEFORE.get(module_name.partition(".")[0]):
        prepare()
    module = importlib.import_module(module_name)
    sys.exit(getattr(module, function_name)())


if __name__ == "__main__":
    main()
