"""A rack of Linux hosts with libvirt and KVM behind a gateway: workers that carry machines, Open vSwitch between them.

Nothing is imported here: libvirt's library may be missing (requirements-linux.txt), and parts of this package do without.
"""
