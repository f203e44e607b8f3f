"""Who may connect to a gateway, and how it is configured: pure, and by the line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.x509.profile import Role
from node.config_file import ConfigInvalid
from node.gateway.config import ClientRules, Limits, load_gateway_config, render_gateway_config
from node.gateway.doorkeeper import ADDRESSES_MAX, BURST_S, Doorkeeper, Turned
from node.gateway.tally import Tally, make_render

LIMITS = Limits(connections_max=4, per_address_max=2, handshakes_per_s=1_000)


def test_an_address_gets_its_share_and_all_get_the_whole() -> None:
    door = Doorkeeper(LIMITS)
    assert [door.enter("192.0.2.1", 0) for _ in range(3)] == [None, None, Turned.ADDRESS]
    assert [door.enter("192.0.2.2", 0) for _ in range(2)] == [None, None]
    assert door.enter("192.0.2.3", 0) is Turned.FULL
    door.leave("192.0.2.1")
    assert door.enter("192.0.2.3", 0) is None
    assert door.inside == 4


def test_an_address_comes_at_its_rate_after_a_burst() -> None:
    limits = Limits(handshakes_per_s=2)
    door = Doorkeeper(limits)

    def comes(now_s: float) -> bool:
        turned = door.enter("192.0.2.1", now_s)
        if turned is None:
            door.leave("192.0.2.1")
        return turned is None

    assert sum(comes(0) for _ in range(50)) == 2 * BURST_S
    assert sum(comes(10 + step / 100) for step in range(1000)) <= 2 * BURST_S + 2 * 10
    assert door.enter("192.0.2.2", 10) is None  # another one has its own


def test_an_ipv6_network_is_one_address_and_a_mapped_one_is_ipv4() -> None:
    door = Doorkeeper(LIMITS)
    assert door.enter("2001:db8::1", 0) is None
    assert door.enter("2001:db8::ffff:2", 0) is None
    assert door.enter("2001:db8:0:0:9::1", 0) is Turned.ADDRESS
    assert door.enter("2001:db8:0:1::1", 0) is None
    other = Doorkeeper(LIMITS)
    assert [other.enter(host, 0) for host in ("::ffff:192.0.2.1", "192.0.2.1")] == [None, None]
    assert other.enter("192.0.2.1", 0) is Turned.ADDRESS


def test_memory_of_rates_is_bounded() -> None:
    door = Doorkeeper(replace(LIMITS, connections_max=10**6, handshakes_per_s=1))
    for number in range(3 * ADDRESSES_MAX):
        door.enter(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 100 + number * 1e-3)
    assert door.remembered <= ADDRESSES_MAX


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_who_leaves_gives_back_exactly_what_he_took(steps: list[tuple[str, bool]]) -> None:
    door = Doorkeeper(LIMITS)
    inside: list[str] = []
    for host, is_coming in steps:
        if is_coming:
            if door.enter(host, 0) is None:
                inside.append(host)
        elif host in inside:
            door.leave(host)
            inside.remove(host)
        assert door.inside == len(inside) <= 4
        assert all(inside.count(one) <= 2 for one in "abc")


# --- configuration ------------------------------------------------------------------------------


def rendered() -> str:
    return render_gateway_config(
        listen="0.0.0.0:7443",
        node="127.0.0.1:7100",
        certificate="keys/gateway.crt",
        key="keys/gateway.pem",
        passphrase_file="keys/passphrase",
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_generated_configuration_loads_with_the_limits_it_names(tmp_path: Path) -> None:
    config = load_gateway_config(written(tmp_path, rendered()))
    assert (config.listen, config.node) == ("0.0.0.0:7443", "127.0.0.1:7100")
    assert config.certificate == tmp_path / "keys/gateway.crt"
    assert config.clients is None and config.limits == Limits()
    text = rendered().replace("certificates = false", "certificates = true")
    for name in ("roots", "lists", "roles"):
        text = text.replace(f"# {name} =", f"{name} =")
    named = load_gateway_config(written(tmp_path, text)).clients
    assert named == ClientRules((tmp_path / "org1.crt",), (tmp_path / "org1.crl",), frozenset(Role))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('node = "127.0.0.1:7100"', 'node = "192.0.2.1:7100"', "plain to another machine"),
        ('node = "127.0.0.1:7100"', 'node = "unix:/run/api.sock"', "form"),
        ("certificates = false", "certificates = true", "lacks roots"),
        ("certificates = false", "certificates = true\nroots = []", "name a root"),
        ("certificates = false", 'certificates = true\nroots = ["a"]\nroles = ["boss"]', "of node"),
        ("certificates = false", 'certificates = true\nroots = ["a"]\nroles = []', "of node"),
        ("certificates = false", 'certificates = true\nroots = "a"', "list of at most"),
        ("certificates = false", 'certificates = false\nroots = ["a"]', "of no use"),
        ('# key = "keys/op', 'key = "keys/op', "certificates = false"),
        ("# passphrase_file", "passphrase_file", "of no use without key"),
        ("handshake_s = 3", "handshake_s = 0", "whole number from 1"),
        ("idle_s = 600", "idle = 600", "unknown entry"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = rendered()
    assert old in text
    with pytest.raises(ConfigInvalid, match=said):
        load_gateway_config(written(tmp_path, text.replace(old, new, 1)))


def test_the_figures_name_every_reason() -> None:
    tally = Tally(open=2, accepted=7)
    tally.refused["foreign"] += 3
    tally.ended["tampered"] += 1
    tally.count(10, 20)
    page = make_render(tally, lambda: 12.5)().decode()
    for line in (
        "shuxin_gateway_connections 2.0",
        "shuxin_gateway_accepted_total 7.0",
        'shuxin_gateway_refused_total{reason="foreign"} 3.0',
        'shuxin_gateway_ended_total{reason="tampered"} 1.0',
        'shuxin_gateway_bytes_total{direction="in"} 10.0',
        'shuxin_gateway_bytes_total{direction="out"} 20.0',
        "shuxin_gateway_certificate_days 12.5",
    ):
        assert line in page
