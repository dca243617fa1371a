"""OpenStack: machines through Nova, Neutron, Glance and Cinder, and the cloud around them."""
