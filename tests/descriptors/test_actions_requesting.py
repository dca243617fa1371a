"""Asking for verbs."""

from __future__ import annotations

from descriptors.states import State


def test_the_life_of_a_machine(world):
    web = world.sam.web
    assert world.do("create", web).status == "succeeded"
    assert web.state == State.CREATED
    assert world.do("start", web).status == "succeeded"
    assert web.state == State.RUNNING
    assert web.vm_ref
    assert web.cards.get().mac
