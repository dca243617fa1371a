"""Drivers by name, and the cleaning of their settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisors import registry
from hypervisors.drivers.base import Setting
from hypervisors.drivers.mock import MockDriver
from hypervisors.registry import clean_settings, clean_value, driver_class
from olimpus.errors import Invalid


def test_a_driver_is_found_by_name():
    assert driver_class("mock") is MockDriver


def test_an_unknown_driver_names_the_nearest():
    with pytest.raises(Invalid) as caught:
        driver_class("moc")
    assert caught.value.where == "driver"
    assert "“mock”" in caught.value.hint


def test_a_missing_library_harms_its_own_driver_only(monkeypatch):
    monkeypatch.setitem(registry.DRIVERS, "broken", "hypervisors.drivers.no_such_module.Driver")
    with pytest.raises(Invalid) as caught:
        driver_class("broken")
    assert "broken" in caught.value.message
    assert driver_class("mock") is MockDriver


def test_settings_are_split_and_typed():
    public, secret = clean_settings("mock", {"latency": "0.5", "seed": 7.0, "unreachable": "on", "api_token": "t"})
    assert public == {"latency": 0.5, "seed": 7, "unreachable": True}
    assert isinstance(public["seed"], int)
    assert secret == {"api_token": "t"}


def test_empty_settings_are_left_to_the_defaults():
    assert clean_settings("mock", {"latency": None, "images": "", "api_token": ""}) == ({}, {})


def test_every_fault_is_told_with_its_field():
    data = {
        "latency": -1,
        "failure_rate": 2,
        "failure_kind": "sometimes",
        "seed": "x",
        "latenci": 1,
        "unreachable": "?",
    }
    with pytest.raises(Invalid) as caught:
        clean_settings("mock", data)
    assert {fault["where"] for fault in caught.value.errors} == {f"settings.{name}" for name in data}
    hints = {fault["where"]: fault.get("hint") for fault in caught.value.errors}
    assert "“latency”" in hints["settings.latenci"]


def test_a_required_setting_may_be_kept(monkeypatch):
    needed = (Setting("password", "Password", required=True, secret=True),)
    monkeypatch.setattr(MockDriver, "settings", needed)
    with pytest.raises(Invalid) as caught:
        clean_settings("mock", {})
    assert caught.value.where == "settings.password"
    assert clean_settings("mock", {}, kept=["password"]) == ({}, {})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", True),
        ("int", 1.5),
        ("int", 10**400),
        ("int", "9" * 5000),
        ("float", float("nan")),
        ("float", "1e999"),
        ("float", [1]),
        ("text", 5),
        ("text", "a\x00b"),
        ("text", "\ud800"),
        ("text", "x" * 20_001),
        ("bool", 3),
        ("bool", []),
        ("choice", "c"),
        ("choice", {}),
    ],
)
def test_wrong_values_are_refused(kind, value):
    with pytest.raises(ValueError):
        clean_value(Setting("s", "S", kind, choices=("a", "b")), value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from([setting.name for setting in MockDriver.settings]) | st.text()


@given(st.dictionaries(names, json_values, max_size=6))
def test_whatever_comes_is_cleaned_or_refused(data):
    try:
        public, secret = clean_settings("mock", data)
    except Invalid as error:
        public, secret, told = {}, {}, bool(error.errors)
    else:
        told = True
    assert told
    assert clean_settings("mock", public | secret) == (public, secret)
