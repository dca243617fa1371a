"""ML2 mechanism driver that binds any port on any host without an L2 agent.

The simulated hypervisors have no data plane, so there is no agent whose
heartbeat could make port binding succeed.  This driver binds the first segment
and reports the port ACTIVE at once; Neutron then sends Nova the ordinary
network-vif-plugged event.
"""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class AgentlessMechanismDriver(api.MechanismDriver):
    def initialize(self):
        self._vif_details = {
            portbindings.CAP_PORT_FILTER: True,
            portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2,
        }

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        vnic_type = context.current.get(portbindings.VNIC_TYPE, portbindings.VNIC_NORMAL)
        if vnic_type != portbindings.VNIC_NORMAL:
            return
        for segment in context.segments_to_bind:
            context.set_binding(
                segment[api.ID], portbindings.VIF_TYPE_BRIDGE, self._vif_details, status=constants.PORT_STATUS_ACTIVE
            )
            return
