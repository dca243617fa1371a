"""L3 plugin whose floating IPs work without an L3 agent, on paper.

The agent is what turns an associated floating IP ACTIVE.  There is none here,
and clients do look at the status, so this plugin sets it itself.
"""

from neutron.services.l3_router import l3_router_plugin
from neutron_lib import constants


class AgentlessL3Plugin(l3_router_plugin.L3RouterPlugin):
    def _refresh(self, context, floating_ip):
        status = constants.FLOATINGIP_STATUS_ACTIVE if floating_ip["port_id"] else constants.FLOATINGIP_STATUS_DOWN
        if floating_ip["status"] != status:
            self.update_floatingip_status(context, floating_ip["id"], status)
            floating_ip["status"] = status
        return floating_ip

    def create_floatingip(self, context, floatingip, *args, **kwargs):
        made = super().create_floatingip(context, floatingip, *args, **kwargs)
        return self._refresh(context, made)

    def update_floatingip(self, context, id, floatingip):
        changed = super().update_floatingip(context, id, floatingip)
        return self._refresh(context, changed)
