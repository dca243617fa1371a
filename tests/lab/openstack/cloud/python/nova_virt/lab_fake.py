"""A simulated hypervisor: Nova's FakeDriver made presentable.

Compared with nova.virt.fake.FakeDriver it
 * has a realistic, configurable capacity;
 * reports the right power state of paused and suspended servers;
 * remembers its servers in a file, so they survive a restart of nova-compute;
 * uploads a (tiny) image on snapshot, so that the image becomes active;
 * detaches cards of servers that came from another host;
 * can take time to spawn, and can fail on request: a server created with the
   metadata  lab_fail=spawn  goes to ERROR.
"""

import io
import json
import os
import time

import nova.conf
from nova import exception
from nova.compute import power_state, task_states
from nova.image import glance
from nova.virt import fake
from oslo_concurrency import processutils

CONF = nova.conf.CONF


def _number(name, default):
    return int(os.environ.get(name) or default)


class LabFakeDriver(fake.FakeDriver):
    capabilities = dict(fake.FakeDriver.capabilities, supports_image_type_qcow2=True)

    vcpus = _number("LAB_HOST_VCPUS", 128)
    memory_mb = _number("LAB_HOST_MEMORY_MB", 262144)
    local_gb = _number("LAB_HOST_DISK_GB", 8192)
    spawn_delay = float(os.environ.get("LAB_SPAWN_DELAY") or 0)

    # -- persistence ---------------------------------------------------------
    @property
    def _state_file(self):
        return os.path.join(CONF.state_path, f"lab-fake-{self._host}.json")

    def init_host(self, host):
        super().init_host(host)
        try:
            with open(self._state_file) as stream:
                saved = json.load(stream)
        except FileNotFoundError:
            saved = {}
        for uuid, (name, state) in saved.items():
            self.instances[uuid] = fake.FakeInstance(name, state, uuid)

    def _save(self):
        state = {uuid: (item.name, item.state) for uuid, item in self.instances.items()}
        temporary = self._state_file + ".new"
        with open(temporary, "w") as stream:
            json.dump(state, stream)
        os.replace(temporary, self._state_file)

    def _set_state(self, instance, state):
        if instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        self.instances[instance.uuid].state = state
        self._save()

    def get_host_uptime(self):
        return processutils.execute("env", "LANG=C", "uptime")[0]

    # -- life cycle ----------------------------------------------------------
    def spawn(self, context, instance, *args, **kwargs):
        if self.spawn_delay:
            time.sleep(self.spawn_delay)
        if instance.metadata.get("lab_fail") == "spawn":
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason="failure requested by metadata lab_fail=spawn"
            )
        super().spawn(context, instance, *args, **kwargs)
        self._save()

    def destroy(self, context, instance, *args, **kwargs):
        super().destroy(context, instance, *args, **kwargs)
        self._save()

    def power_off(self, instance, timeout=0, retry_interval=0):
        self._set_state(instance, power_state.SHUTDOWN)

    def power_on(self, context, instance, *args, **kwargs):
        self._set_state(instance, power_state.RUNNING)

    def pause(self, instance):
        self._set_state(instance, power_state.PAUSED)

    def unpause(self, instance):
        self._set_state(instance, power_state.RUNNING)

    def suspend(self, context, instance):
        self._set_state(instance, power_state.SUSPENDED)

    def resume(self, context, instance, *args, **kwargs):
        self._set_state(instance, power_state.RUNNING)

    def rescue(self, context, instance, *args, **kwargs):
        self._set_state(instance, power_state.RUNNING)

    def unrescue(self, context, instance):
        self._set_state(instance, power_state.RUNNING)

    def resume_state_on_host_boot(self, context, instance, *args, **kwargs):
        self._set_state(instance, power_state.RUNNING)

    def detach_interface(self, context, instance, vif):
        # Nova's own driver knows no card that came with its server from another host, or from before a restart.
        self._interfaces.setdefault(vif["id"], vif)
        super().detach_interface(context, instance, vif)

    # -- images --------------------------------------------------------------
    def snapshot(self, context, instance, image_id, update_task_state):
        if instance.uuid not in self.instances:
            raise exception.InstanceNotRunning(instance_id=instance.uuid)
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=task_states.IMAGE_PENDING_UPLOAD)
        image_api = glance.API()
        image = image_api.get(context, image_id)
        image_api.update(
            context,
            image_id,
            {
                "name": image["name"],
                "status": "active",
                "disk_format": "raw",
                "container_format": "bare",
                "properties": image.get("properties", {}),
            },
            io.BytesIO(b"\0" * 512),
            purge_props=False,
        )
