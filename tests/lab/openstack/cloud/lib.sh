# Settings and functions shared by up, down and status.
# shellcheck shell=bash

# ---------------------------------------------------------------- settings ---
# Everything the lab writes lives below this directory.
LAB=${OPENSTACK_LAB_DIR:-/var/tmp/openstack-lab}

# One password for every service account, database user and the admin user.
LAB_PASSWORD=${LAB_PASSWORD:-lab}
LAB_REGION=${LAB_REGION:-RegionOne}

# Workers of the API services (keystone, placement, nova-api, neutron-server).
LAB_WORKERS=${LAB_WORKERS:-2}

# Simulated hypervisors, as "host:availability-zone" pairs.
LAB_HOSTS=${LAB_HOSTS:-"compute-01:zone-1 compute-02:zone-1 compute-03:zone-2"}

# Capacity and behaviour of each simulated hypervisor.
LAB_HOST_VCPUS=${LAB_HOST_VCPUS:-128}
LAB_HOST_MEMORY_MB=${LAB_HOST_MEMORY_MB:-262144}
LAB_HOST_DISK_GB=${LAB_HOST_DISK_GB:-8192}
LAB_SPAWN_DELAY=${LAB_SPAWN_DELAY:-0}          # seconds each spawn takes

# lab_fake.LabFakeDriver (ours, see python/nova_virt) or the stock fake.FakeDriver.
LAB_COMPUTE_DRIVER=${LAB_COMPUTE_DRIVER:-lab_fake.LabFakeDriver}

# The volume service: 1 to enable, 0 to disable.
LAB_CINDER=${LAB_CINDER:-1}

# Names used inside a shared MariaDB or RabbitMQ, so that we never touch others'.
DB_PREFIX=oslab
RABBIT_VHOST=oslab
RABBIT_USER=oslab

# ------------------------------------------------------------- environment ---
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CONF=$LAB/etc LOGS=$LAB/log RUN=$LAB/run DATA=$LAB/data MARKS=$LAB/marks
# The services are Debian's: use the distribution's Python and nothing else.
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
export PYTHONPATH=$LAB/python PYTHONDONTWRITEBYTECODE=1
export no_proxy=127.0.0.1,localhost NO_PROXY=127.0.0.1,localhost
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY PYTHONHOME VIRTUAL_ENV
unset "${!OS_@}"
PY=/usr/bin/python3

say()  { printf '%s  %s\n' "$(date +%T)" "$*"; }
die()  { printf 'ERROR: %s\n' "$*" >&2; exit 1; }
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ------------------------------------------------------------ process care ---
# A pid file holds "pid starttime"; the start time guards against pid reuse.
# Empty for a process that is gone or only waits to be reaped.
_starttime() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" {print $20}'; }

alive() {                                       # alive NAME
    local pid start
    [ -r "$RUN/$1.pid" ] || return 1
    read -r pid start <"$RUN/$1.pid" || return 1
    [ -n "$start" ] && [ "$(_starttime "$pid")" = "$start" ]
}

# What is left of a service whose leader was killed: its workers would keep the port. A process is ours
# when it was started with our PYTHONPATH; a process group of somebody else may have got the number since.
sweep() {                                       # sweep NAME
    local leader member _
    [ -r "$RUN/$1.pid" ] || return 0
    read -r leader _ <"$RUN/$1.pid" || return 0
    for member in $(pgrep -g "${leader:-none}" 2>/dev/null); do
        grep -qzxF "PYTHONPATH=$LAB/python" "/proc/$member/environ" 2>/dev/null && kill -KILL "$member" 2>/dev/null
    done
    rm -f "$RUN/$1.pid"
}

start() {                                       # start NAME COMMAND...
    local name=$1; shift
    alive "$name" && return 0
    sweep "$name"
    setsid "$@" >>"$LOGS/$name.log" 2>&1 </dev/null 9>&- &       # 9: the lock of up
    local pid=$!
    # Remember the start time of the process that setsid turns into.
    echo "$pid $(_starttime "$pid")" >"$RUN/$name.pid"
    disown "$pid" 2>/dev/null || true
}

stop() {                                        # stop NAME...: TERM, then KILL
    local name pid _ i
    for name; do
        alive "$name" || { sweep "$name"; continue; }
        read -r pid _ <"$RUN/$name.pid"
        kill -TERM "$pid" 2>/dev/null
    done
    for name; do
        for i in $(seq 100); do alive "$name" || break; sleep 0.2; done
        [ -r "$RUN/$name.pid" ] || continue
        read -r pid _ <"$RUN/$name.pid"
        # Each service leads its own process group: sweep up its workers too.
        kill -KILL -- "-$pid" 2>/dev/null
        rm -f "$RUN/$name.pid"
    done
}

wait_port() {                                   # wait_port NAME PORT [SECONDS]
    local deadline=$((SECONDS + ${3:-90}))
    while [ $SECONDS -lt $deadline ]; do
        port_open "$2" && return 0
        alive "$1" || { tail -n 20 "$LOGS/$1.log" >&2; die "$1 died, see $LOGS/$1.log"; }
        sleep 0.2
    done
    die "$1 does not listen on port $2, see $LOGS/$1.log"
}

wait_http() {                                   # wait_http NAME URL [SECONDS]
    local code="" deadline=$((SECONDS + ${3:-120}))
    while [ $SECONDS -lt $deadline ]; do
        code=$(curl -s -m 5 -o /dev/null -w '%{http_code}' "$2" || true)
        case $code in 2??|300) return 0 ;; esac
        alive "$1" || { tail -n 20 "$LOGS/$1.log" >&2; die "$1 died, see $LOGS/$1.log"; }
        sleep 0.25
    done
    die "$1 does not answer on $2 (last: $code), see $LOGS/$1.log"
}

hosts() { local h; for h in $LAB_HOSTS; do echo "${h%%:*}"; done; }

# Services in start order; down walks this list backwards.
service_names() {
    echo mariadb rabbitmq memcached keystone placement glance neutron
    echo nova-conductor nova-scheduler nova-api
    # Also hypervisors of an earlier LAB_HOSTS that still have a pid file.
    { hosts | sed 's/^/nova-/'
      find "$RUN" -maxdepth 1 -name 'nova-*.pid' -printf '%f\n' 2>/dev/null | sed 's/\.pid$//'
    } | grep -vxE 'nova-(api|conductor|scheduler)' | sort -u
    echo cinder-api cinder-scheduler cinder-volume
}
