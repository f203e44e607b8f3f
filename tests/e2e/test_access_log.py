"""A node's access log (访问日志) on a real network: anchored on chain, searched, and altered."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from crypto import sm3
from ledger.genesis import chain_id, load_genesis
from ledger.model import address_of
from node.accesslog.entry import ANSWERED, Request
from node.accesslog.folder import ACCESS_LOG, path_of
from node.accesslog.keeper import HOUR_MS, KEEP_DEFAULT, AccessLog, Owner
from tests.e2e.harness import LocalNetwork, shuxin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ENTRIES = 25
CERTIFIED_S = 60.0  # until a head is certified; a second on an idle machine
ANCHORED_S = 120.0  # a block, a second's tick and a transaction; on a busy machine


def asked_an_hour_ago(network: LocalNetwork, data: Path) -> None:
    """A log with some calls of the hour before, as a node leaves it that stops."""
    genesis = load_genesis(network.root / "genesis.json")
    name = network.plan.nodes[0].name
    (key,) = (one.public_key for one in genesis.validators.validators if one.name == name)
    before_ms = time.time_ns() // 1_000_000 - HOUR_MS
    log = AccessLog(
        data / ACCESS_LOG,
        Owner(chain_id(genesis), address_of(key)),
        keep=KEEP_DEFAULT,
        wall_ms=lambda: before_ms,
    )
    for number in range(ENTRIES):
        digest = sm3.digest(b"%d" % number)
        log.append(
            Request("/shuxin.v1.Node/View", digest, "ab" * 20, b"", ("member",), "::1"), ANSWERED
        )
    log.close()


def told(network: LocalNetwork, data: Path, *options: str) -> tuple[int, dict[str, object]]:
    """Exit code and answer of `audit access`."""
    deadline = time.monotonic() + CERTIFIED_S
    while True:
        made = shuxin(
            *("audit", "access", str(data), "--json", "--node", network.plan.nodes[1].api),
            *("--genesis", str(network.root / "genesis.json")),
            *("--home", str(network.root / "parties" / "manager"), *options),
        )
        if made.stdout:
            answer: dict[str, object] = json.loads(made.stdout)
            return made.returncode, answer
        # Right after a block its head is not certified yet, and a proof has to wait.
        assert "receipt.pending" in made.stderr and time.monotonic() < deadline, made.stderr


@pytest.mark.long
def test_a_node_anchors_its_log_and_an_altered_entry_is_named(tmp_path: Path) -> None:
    network = LocalNetwork(tmp_path / "net")
    data = network.root / "nodes" / network.plan.nodes[0].name / "data"
    asked_an_hour_ago(network, data)
    network.up()
    try:
        deadline = time.monotonic() + ANCHORED_S
        while True:
            with network.client() as client:
                client.genesis()  # is on record, by a caller that nobody knows
            code, answer = told(network, data)
            assert (code, answer["fault"]) == (0, "")
            if answer["anchored_files"] == 1:
                break
            assert time.monotonic() < deadline, network.logs()
            time.sleep(2)
        anchored_to = answer["anchored_to"]
        assert isinstance(anchored_to, int)
        assert anchored_to >= ENTRIES  # and what was asked before the file was closed
        _, mine = told(network, data, "--account", "ab" * 20, "--method", "View")
        assert mine["found"] == ENTRIES
        _, open_to_all = told(network, data, "--method", "GetGenesis", "--outcome", "answered")
        assert open_to_all["found"] != 0
        path = path_of(data / ACCESS_LOG, 1)
        altered = bytearray(path.read_bytes())
        altered[len(altered) // 2] ^= 1
        path.write_bytes(altered)
        code, answer = told(network, data)
        assert code == 1
        assert "file 1: entry" in str(answer["fault"])
        assert "was altered" in str(answer["fault"])
    finally:
        network.down()
