"""Seeds, peer ids and addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import base58
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2p.address import TcpAddress, format_address, parse_address
from p2p.errors import AddressInvalid
from p2p.identity import generate_seed, parse_peer_id, peer_id_of
from p2p.network import Network, PeerAddress
from tests.e2e.p2p_world import tls_of

SEED = bytes(range(32))
LISTEN = "/ip4/127.0.0.1/tcp/0"


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_seed_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(AddressInvalid, match="32 bytes"):
        peer_id_of(bytes(size))


def test_a_seed_has_one_peer_id() -> None:
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
    by_hand = base58.b58encode(bytes.fromhex("002408011220") + public).decode()
    assert peer_id_of(SEED) == by_hand == str(parse_peer_id(by_hand))
    assert peer_id_of(generate_seed()) != peer_id_of(generate_seed())


@pytest.mark.parametrize("text", ["", "1", "x", "Qm", "12D3KooW", "0OIl", "z" * 300, "\x00", "é"])
def test_what_is_not_a_peer_id_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalid):
        parse_peer_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "/",
        "127.0.0.1:7001",
        "/ip4/10.0.0.7",
        "/ip4/10.0.0.7/udp/7001",
        "/ip4/10.0.0.7/tcp/65536",
        "/ip4/10.0.0.999/tcp/7001",
        "/ip4/10.0.0.7/tcp/7001/ws",
    ],
)
def test_what_is_not_a_tcp_multiaddr_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalid):
        parse_address(text)


def test_multiaddrs_name_hosts_by_address_or_name() -> None:
    assert parse_address("/ip4/10.0.0.7/tcp/7001") == TcpAddress("10.0.0.7", 7001)
    assert parse_address("/ip6/::1/tcp/1") == TcpAddress("::1", 1)
    assert parse_address("/dns/node.example/tcp/2") == TcpAddress("node.example", 2)
    assert format_address("::1", 1) == "/ip6/::1/tcp/1"


def test_two_names_for_one_peer_are_refused() -> None:
    peer = PeerAddress(peer_id_of(bytes(32)), "/ip4/10.0.0.7/tcp/7001")
    with pytest.raises(AddressInvalid, match="b and a have the same"):
        Network(SEED, listen=LISTEN, peers={"a": peer, "b": peer}, security=tls_of(SEED))


def test_our_own_entry_in_the_table_is_ignored() -> None:
    own = PeerAddress(peer_id_of(SEED), LISTEN)
    network = Network(SEED, listen=LISTEN, peers={"own": own}, security=tls_of(SEED))
    assert network.connected() == frozenset()


def test_the_library_stays_silent_and_writes_no_files(tmp_path: Path) -> None:
    """libp2p can log to stderr and to files; neither may happen behind the node's own log."""
    code = (
        "import logging, p2p.network\n"
        "logging.getLogger('libp2p.stream_muxer.yamux').error('peer bytes')\n"
        "logging.getLogger('libp2p').critical('peer bytes')\n"
    )
    environment = {
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    assert list(tmp_path.iterdir()) == []
