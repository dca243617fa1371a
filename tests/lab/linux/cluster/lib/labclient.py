"""Thin functions over OpenSSH used by verify and floor (standard library only)."""

import os
import shlex
import subprocess
import time

LAB_DIR = os.environ.get("LINUX_LAB_DIR", "/var/tmp/linux-lab")
CONF = os.path.join(LAB_DIR, "ssh_config")
POOL = "/var/lib/libvirt/images"


def inventory():
    """Reads the few scalars needed from inventory.yaml without a YAML library."""
    inv = {"workers": []}
    with open(os.path.join(LAB_DIR, "inventory.yaml")) as f:
        for line in f:
            if line.startswith("  - {name: "):
                inv["workers"].append(line.split("name: ")[1].split(",")[0])
            elif line[:1].isalpha() and ": " in line:
                k, v = line.split(": ", 1)
                inv[k] = v.strip()
    return inv


def ssh(host, command, timeout=60, check=True, stdin=None, opts=()):
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    argv = ["ssh", "-F", CONF, *opts, host, command]
    r = subprocess.run(argv, text=True, capture_output=True, timeout=timeout, **given)
    if check and r.returncode:
        raise RuntimeError(f"{host}: {command[:80]}: rc {r.returncode}: {(r.stderr or r.stdout).strip()[-300:]}")
    return r.stdout


def scp(src, host, dst):
    subprocess.run(["scp", "-q", "-F", CONF, src, f"{host}:{dst}"], check=True, timeout=300)


def push_image(worker, image, name="base.qcow2"):
    """Copies the base image to a worker unless it is already there."""
    dst = f"{POOL}/{name}"
    size = os.path.getsize(image)
    have = ssh(worker, f"sudo sha256sum {dst} 2>/dev/null || true").split(" ")[0]
    want = subprocess.run(["sha256sum", image], capture_output=True, text=True, check=True).stdout.split()[0]
    if have != want:
        scp(image, worker, "/tmp/upload.qcow2")
        ssh(worker, f"sudo install -m 644 /tmp/upload.qcow2 {dst} && rm /tmp/upload.qcow2")
        return size
    return 0


def wait(fn, timeout, every=0.2):
    """Calls fn until it is true; returns (value, seconds)."""
    t0 = time.monotonic()
    while True:
        v = fn()
        dt = time.monotonic() - t0
        if v or dt > timeout:
            return v, dt
        time.sleep(every)


def domain_xml(name, cards, disk, seed=None, memory_mib=128, vcpus=1, virt="qemu", bridge="br-int", uuid=None):
    cdrom = f"""
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{seed}'/>
      <target dev='hda' bus='ide'/><readonly/></disk>"""
    nics = "".join(
        f"""
    <interface type='bridge'><mac address='{mac}'/><source bridge='{bridge}'/>
      <virtualport type='openvswitch'/><vlan><tag id='{vlan}'/></vlan><model type='virtio'/><rom enabled='no'/></interface>"""
        for mac, vlan in cards
    )
    cpu = "<cpu mode='host-passthrough'/>" if virt == "kvm" else ""
    return f"""<domain type='{virt}'>
  <name>{name}</name>
  <memory unit='MiB'>{memory_mib}</memory>
  <vcpu>{vcpus}</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/><apic/></features>{cpu}
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2' discard='unmap'/><source file='{disk}'/>
      <target dev='vda' bus='virtio'/></disk>{cdrom if seed else ""}{nics}
    <serial type='pty'><log file='/var/log/libvirt/qemu/{name}-serial.log' append='off'/><target port='0'/></serial>
    <graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>
    <video><model type='vga' vram='16384'/></video>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <memballoon model='virtio'><stats period='5'/></memballoon>
  </devices>
</domain>
"""


def q(s):
    return shlex.quote(s)
