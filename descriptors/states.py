"""The eight states in the life of a VM. Constants only; the transitions between them are in `descriptors.models`."""

from __future__ import annotations

from enum import StrEnum

from olimpus.words import gettext_noop


class State(StrEnum):
    """What Olimpus holds of a VM's life. Members are plain strings in the database and in every answer."""

    PROVISIONED = "provisioned"  # there is a definition and nothing on any hypervisor
    CREATED = "created"  # instantiated on the hypervisor, never started yet, powered off
    STARTING = "starting"  # power-on (or resume) was requested and is not confirmed yet
    RUNNING = "running"  # powered on
    PAUSED = "paused"  # suspended with its state kept in memory
    STOPPING = "stopping"  # power-off was requested and is not confirmed yet
    STOPPED = "stopped"  # exists on the hypervisor, was on before, powered off
    FAILED = "failed"  # the last operation ended in an error; recover asks the hypervisor what is there


CHOICES: list[tuple[str, str]] = [
    (State.PROVISIONED.value, gettext_noop("Provisioned")),
    (State.CREATED.value, gettext_noop("Created")),
    (State.STARTING.value, gettext_noop("Starting")),
    (State.RUNNING.value, gettext_noop("Running")),
    (State.PAUSED.value, gettext_noop("Paused")),
    (State.STOPPING.value, gettext_noop("Stopping")),
    (State.STOPPED.value, gettext_noop("Stopped")),
    (State.FAILED.value, gettext_noop("Failed")),
]

#: On the way somewhere: an operation is open and has a deadline.
ON_THE_WAY: frozenset[State] = frozenset({State.STARTING, State.STOPPING})

#: At rest: a VM may stay here for ever.
STABLE: frozenset[State] = frozenset(State) - ON_THE_WAY

#: A VM stands on a hypervisor for certain. In Failed perhaps, in Provisioned certainly not.
EXISTS: frozenset[State] = frozenset(State) - {State.PROVISIONED, State.FAILED}

#: Stands on a hypervisor and is powered off: hypervisors let the run parameters change.
OFF: frozenset[State] = frozenset({State.CREATED, State.STOPPED})

#: What the hypervisor should answer in each state. A state that is missing here cannot be compared.
#: The values are those of `hypervisors.drivers.base.Power`.
EXPECTED_POWER: dict[State, str] = {
    State.PROVISIONED: "absent",
    State.CREATED: "off",
    State.RUNNING: "on",
    State.PAUSED: "paused",
    State.STOPPED: "off",
}
