"""Who may begin a handshake: by address, how often, how many at a time."""

from __future__ import annotations

from contextlib import ExitStack
from ipaddress import ip_network

import pytest

from p2p.errors import ConnectFailed, Refusal
from p2p.limits import NetworkLimits
from p2p.listen import ADDRESSES_MAX, Door

LIMITS = NetworkLimits(attempts_burst=4, attempts_per_s=2.0)


def _reason(door: Door, host: str, *, now: float = 0.0) -> str | None:
    try:
        door.check(host, now=now)
    except ConnectFailed as error:
        assert host in str(error)
        return error.reason
    return None


def test_only_addresses_inside_the_ranges_may_try() -> None:
    door = Door(LIMITS, [ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
    for inside in ("10.1.2.3", "fd00::7", "::ffff:10.9.9.9"):
        assert _reason(door, inside) is None
    for outside in ("11.0.0.1", "fe80::1", "::ffff:11.0.0.1", "gone"):
        assert _reason(door, outside) == Refusal.ADDRESS


def test_without_ranges_every_address_may_try() -> None:
    door = Door(LIMITS)
    for host in ("10.1.2.3", "fe80::1", "gone"):
        assert _reason(door, host) is None


def test_an_address_that_tries_too_often_waits_and_others_do_not() -> None:
    door = Door(LIMITS)
    assert [_reason(door, "10.0.0.1") for _ in range(6)] == [None] * 4 + [Refusal.RATE] * 2
    assert _reason(door, "10.0.0.2") is None
    assert _reason(door, "10.0.0.1", now=0.5) is None, "two per second come back"
    assert _reason(door, "10.0.0.1", now=0.5) == Refusal.RATE
    assert [_reason(door, "10.0.0.1", now=100.0) for _ in range(5)] == [None] * 4 + [Refusal.RATE]


def test_the_addresses_of_an_ipv6_network_are_counted_as_one() -> None:
    door = Door(LIMITS)
    hosts = [f"2001:db8::{number:x}" for number in range(1, 7)]
    assert [_reason(door, host) for host in hosts] == [None] * 4 + [Refusal.RATE] * 2
    assert _reason(door, "2001:db8:0:1::1") is None, "another network"
    mapped = [_reason(door, host) for host in ("::ffff:10.0.0.1", "10.0.0.1") * 3]
    assert mapped == [None] * 4 + [Refusal.RATE] * 2


async def test_connections_of_an_ipv6_network_give_way_to_each_other() -> None:
    door = Door(NetworkLimits(pending_per_address_max=2))
    with ExitStack() as waiting:
        scopes = [
            waiting.enter_context(door.admit(host))
            for host in ("2001:db8::1", "2001:db8:0:1::1", "2001:db8::2", "2001:db8::3")
        ]
        assert [scope.cancel_called for scope in scopes] == [True, False, False, False]


def test_a_flood_from_many_addresses_is_remembered_in_bounded_memory() -> None:
    door = Door(NetworkLimits(attempts_burst=1, attempts_per_s=0.001))
    assert _reason(door, "first") is None
    for number in range(ADDRESSES_MAX - 1):
        assert _reason(door, f"host{number}") is None
    assert _reason(door, "first") == Refusal.RATE
    assert _reason(door, "one more") is None
    assert _reason(door, "host0") is None, "seen longest ago, it is forgotten"


def test_the_ranges_come_before_the_count() -> None:
    door = Door(LIMITS, [ip_network("10.0.0.0/8")])
    reasons = [_reason(door, "11.0.0.1") for _ in range(10)]
    assert reasons == [Refusal.ADDRESS] * 10
    with pytest.raises(ConnectFailed, match="allow"):
        door.check("11.0.0.1", now=0.0)
