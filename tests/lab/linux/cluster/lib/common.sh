# Settings shared by all scripts of the lab. Everything can be overridden from
# the environment.
HERE=${HERE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
LAB_DIR=${LINUX_LAB_DIR:-/var/tmp/linux-lab}     # state: keys, logs, pid files
LAB_NAME=${LINUX_LAB_NAME:-lab}                  # prefix of the network namespaces
LAB_WORKERS=${LINUX_LAB_WORKERS:-3}
LAB_USER=${LINUX_LAB_USER:-ubuntu}
LAB_EXT=${LINUX_LAB_EXT:-172.31.201}             # /30 between this host and the bastion
LAB_MGMT=${LINUX_LAB_MGMT:-192.168.201}          # /24 inside the lab only
LAB_BASTION_PORT=${LINUX_LAB_BASTION_PORT:-5821}
LAB_KVM=${LINUX_LAB_KVM:-auto}                   # auto | on | off
LAB_IMAGE=${LINUX_LAB_IMAGE:-$LAB_DIR/images/lab-guest.qcow2}

BR_MGMT=br-mgmt      # management switch (Linux bridge in the fabric namespace)
BR_DATA=br-data      # carries 802.1Q tagged frames between the OVS bridges
OVS_BR=br-int        # OVS integration bridge of every node
OVS_UPLINK=data0     # its trunk port
POOL=/var/lib/libvirt/images

# what build-image needs
IMAGE_TOOLS="syslinux syslinux-common mtools dosfstools e2fsprogs fdisk kmod cpio qemu-utils xz-utils"

missing_packages() { # NAME...
    local p
    for p; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
    done
}

worker_names() { local i; for ((i = 1; i <= LAB_WORKERS; i++)); do echo "worker-$i"; done; }
all_hosts()    { echo bastion; echo headnode; worker_names; }
host_addr() {
    case $1 in
    bastion)  echo "$LAB_MGMT.254" ;;
    headnode) echo "$LAB_MGMT.1" ;;
    worker-*) echo "$LAB_MGMT.$((10 + ${1#worker-}))" ;;
    esac
}
host_port() { [ "$1" = bastion ] && echo "$LAB_BASTION_PORT" || echo 22; }
has_ovs()   { [ "$1" != bastion ]; }
has_libvirt() { case $1 in worker-*) ;; *) false ;; esac; }
ns()        { echo "$LAB_NAME-$1"; }
say()       { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }
die()       { echo "error: $*" >&2; exit 1; }
need_root() { [ "$(id -u)" = 0 ] || die "must run as root"; }

# pid (seen from here) of the first process of an emulated host, if alive
host_pid() {
    local p; p=$(cat "$LAB_DIR/hosts/$1/init.pid" 2>/dev/null) || return 1
    [ -d "/proc/$p" ] && grep -qa "host-init" "/proc/$p/cmdline" && echo "$p"
}
host_exec() { # HOST command...
    local p; p=$(host_pid "$1") || return 1
    shift; nsenter -t "$p" -m -u -i -n -p -- "$@"
}

# Ends the first process of a host, which takes all others along; returns when it is gone.
stop_host() { # SIGNAL HOST
    local p; p=$(host_pid "$2") || p=
    if [ -n "$p" ]; then
        kill "-$1" "$p" 2>/dev/null
        gone_within 50 "$p" || { kill -KILL "$p" 2>/dev/null; gone_within 50 "$p"; }
    fi
    rm -f "$LAB_DIR/hosts/$2/init.pid" "$LAB_DIR/hosts/$2/ready.new"
}
gone_within() { # TENTHS PID
    local _
    for _ in $(seq "$1"); do [ -d "/proc/$2" ] || return 0; sleep 0.1; done
    return 1
}
