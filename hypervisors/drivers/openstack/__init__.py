"""OpenStack: machines through Nova, Neutron, Glance and Cinder, and the cloud around them."""

from hypervisors.drivers.openstack.driver import OpenStackDriver

__all__ = ["OpenStackDriver"]
