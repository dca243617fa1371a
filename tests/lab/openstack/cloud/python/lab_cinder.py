"""Cinder volume driver that keeps each volume in a sparse raw file.

It needs neither LVM nor iSCSI, so it runs on kernels without device-mapper.
Attaching works with the simulated hypervisors; a real libvirt guest cannot use
these volumes because nothing exports them as a block device.
"""

import contextlib
import os
import shutil

from cinder import exception, interface
from cinder.image import image_utils
from cinder.volume import driver
from oslo_concurrency import processutils
from oslo_config import cfg
from oslo_utils import units

CONF = cfg.CONF


@interface.volumedriver
class FileVolumeDriver(driver.VolumeDriver):
    VERSION = "1.0"
    CI_WIKI_NAME = "none"

    def do_setup(self, context):
        self._directory = os.path.join(CONF.state_path, "volumes")
        os.makedirs(self._directory, exist_ok=True)

    def check_for_setup_error(self):
        pass

    def _path(self, item):
        return os.path.join(self._directory, item.name)

    def _copy(self, source, target, size):
        processutils.execute("cp", "--sparse=always", "--reflink=auto", source, target)
        self._resize(target, size)

    @staticmethod
    def _resize(path, size):
        with open(path, "ab") as stream:
            stream.truncate(size * units.Gi)

    @staticmethod
    def _remove(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    # -- volumes and snapshots -----------------------------------------------
    def create_volume(self, volume):
        self._resize(self._path(volume), volume.size)

    def delete_volume(self, volume):
        self._remove(self._path(volume))

    def extend_volume(self, volume, new_size):
        self._resize(self._path(volume), new_size)

    def create_snapshot(self, snapshot):
        self._copy(self._path(snapshot.volume), self._path(snapshot), snapshot.volume_size)

    def delete_snapshot(self, snapshot):
        self._remove(self._path(snapshot))

    def create_volume_from_snapshot(self, volume, snapshot):
        self._copy(self._path(snapshot), self._path(volume), volume.size)

    def create_cloned_volume(self, volume, src_vref):
        self._copy(self._path(src_vref), self._path(volume), volume.size)

    # -- images --------------------------------------------------------------
    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        target = self._path(volume)
        download = target + ".download"
        try:
            image_utils.fetch(context, image_service, image_id, download, None, None)
            processutils.execute("qemu-img", "convert", "-O", "raw", download, target)
        finally:
            self._remove(download)
        if os.path.getsize(target) > volume.size * units.Gi:
            raise exception.ImageUnacceptable(image_id=image_id, reason="larger than the volume")
        self._resize(target, volume.size)

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        with open(self._path(volume), "rb") as stream:
            image_service.update(context, image_meta["id"], {}, stream)

    # -- attachment ----------------------------------------------------------
    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector):
        return {"driver_volume_type": "local", "data": {"device_path": self._path(volume)}}

    def terminate_connection(self, volume, connector, **kwargs):
        pass

    def local_path(self, volume):
        return self._path(volume)

    # -- statistics ----------------------------------------------------------
    def _update_volume_stats(self):
        usage = shutil.disk_usage(self._directory)
        self._stats = {
            "volume_backend_name": self.configuration.volume_backend_name,
            "vendor_name": "lab",
            "driver_version": self.VERSION,
            "storage_protocol": "file",
            "pools": [
                {
                    "pool_name": "files",
                    "total_capacity_gb": 100000,
                    "free_capacity_gb": 100000,
                    "real_free_gb": usage.free // units.Gi,
                    "reserved_percentage": 0,
                    "thin_provisioning_support": True,
                    "provisioned_capacity_gb": 0,
                    "max_over_subscription_ratio": "1.0",
                    "QoS_support": False,
                    "multiattach": True,
                }
            ],
        }
