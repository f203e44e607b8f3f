"""The whole life of a contract on four processes, by commands, each state proven offline."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from pathlib import Path

import pytest

from crypto import sm3
from tests.e2e.desk import Desk
from tests.e2e.harness import LocalNetwork

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FIRST = '''"""Sums by name, in whole yuan."""

from contracts.dialect import SortedMap, call, view

yuan = SortedMap(str, int)


@call
def add(name: str, amount: int) -> int:
    """Adds to the sum of a name."""
    yuan[name] = yuan.get(name, 0) + amount
    return yuan[name]


@view
def read(name: str) -> int:
    """The sum of a name."""
    return yuan.get(name, 0)
'''
# Values move from `yuan` to `cents`; what it adds is wrong by a hundred.
SECOND = '''"""Sums by name, in cents."""

from contracts.dialect import Map, SortedMap, call, migrate, view

yuan = SortedMap(str, int)
cents = Map(str, int)


@migrate
def move(sequence: int) -> None:
    """The sums of all names; there are fewer than a page has room for."""
    for name, amount in yuan.items(1000):
        cents[name] = amount * 100
        del yuan[name]


@call
def add(name: str, amount: int) -> int:
    """Adds cents to the sum of a name."""
    cents[name] = cents.get(name, 0) + amount * 100
    return cents[name]


@view
def read(name: str) -> int:
    """The sum of a name, and what was left behind."""
    return cents.get(name, 0) + yuan.get(name, 0)
'''
REPAIRED = SECOND.replace("+ amount * 100", "+ amount").replace(
    "    for name,", '    if sequence == 2:\n        cents["east"] -= 99\n    for name,'
)
BROKEN = SECOND.replace(
    "        del yuan[name]\n", "        del yuan[name]\n    cents['no'] = yuan['no']\n"
)


@pytest.fixture
def pages(tmp_path: Path) -> list[int]:
    return []


@pytest.fixture
def desk(tmp_path: Path, pages: list[int]) -> Desk:
    network = LocalNetwork(tmp_path / "net")
    for node in network.plan.nodes:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            pages.append(probe.getsockname()[1])
        path = network.root / "nodes" / node.name / "node.toml"
        text = path.read_text()
        path.write_text(
            re.sub(r"\[metrics\]", f'[metrics]\nlisten = "127.0.0.1:{pages[-1]}"', text)
        )
    return Desk(network, tmp_path)


def frozen(port: int) -> float:
    """What a node's metrics page says of frozen contracts."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    return next(
        float(line.split()[1])
        for line in text.splitlines()
        if line.startswith("shuxin_contracts_frozen ")
    )


def proven(desk: Desk, status: str, sequence: int, source: str) -> None:
    """`show` and an offline proof say the same."""
    shown = desk.ask("consumer", "contract", "show", "sums")
    digest = sm3.digest(source.encode()).hex()
    assert (shown["status"], shown["sequence"]) == (status, sequence)
    assert (shown["owner"], shown["code_hash"]) == ("tech", f"0x{digest}")
    genesis = "--genesis", str(desk.network.root / "genesis.json")
    file = str(desk.folder / f"{status}-{sequence}.proof")
    desk.ask("consumer", "contract", "prove", "sums", "--output", file, *genesis)
    told = desk.ask("consumer", "audit", "check", file, *genesis, "--node", "127.0.0.1:1")
    record = told["record"]
    assert isinstance(record, dict)
    assert (record["status"], record["sequence"]) == (status, sequence)
    assert record["code_hash"] == f"0x{digest}"
    assert f"is {status} with version {sequence}" in str(told["verdict"])


def test_a_contract_from_its_deployment_to_its_end(desk: Desk, pages: list[int]) -> None:
    try:
        desk.network.up()
        deployed_and_upgraded(desk)
        frozen_and_repaired(desk, pages)
        revoked(desk)
    finally:
        desk.network.down()


def deployed_and_upgraded(desk: Desk) -> None:
    desk.ask("tech", "contract", "deploy", "sums", desk.file("one.py", FIRST))
    proven(desk, "active", 1, FIRST)
    desk.ask("consumer", "contract", "call", "sums", "add", "str:east", "7")

    broken = desk.file("broken.py", BROKEN)
    desk.ask("tech", "contract", "upgrade", "sums", broken, "--reason", "cents")
    other = desk.refused("operator", "contract", "approve", "sums", desk.file("x.py", FIRST))
    assert other == "not_allowed"
    desk.ask("operator", "contract", "approve", "sums", broken)
    assert desk.refused("manager", "contract", "approve", "sums", broken) == "missing_key"
    proven(desk, "active", 1, FIRST)  # nothing of the migration that failed half-way
    assert desk.ask("consumer", "contract", "view", "sums", "read", "str:east")["value"] == 7
    desk.ask("tech", "contract", "withdraw", "sums", "--reason", "it fails")

    newer = desk.file("two.py", SECOND)
    desk.ask("tech", "contract", "upgrade", "sums", newer, "--reason", "cents")
    waiting = desk.ask("operator", "contract", "show", "sums")["pending"]
    assert isinstance(waiting, dict)
    assert waiting["approvals"] == ["tech"]
    assert waiting["missing"][:2] == ["manager", "operator"]
    for party in ("operator", "manager"):
        desk.ask(party, "contract", "approve", "sums", newer)
    proven(desk, "active", 2, SECOND)
    assert desk.ask("consumer", "contract", "view", "sums", "read", "str:east")["value"] == 700


def frozen_and_repaired(desk: Desk, pages: list[int]) -> None:
    added = "contract", "call", "sums", "add", "str:east", "1"
    assert desk.ask("consumer", *added)["value"] == 800  # a hundred for one
    assert [frozen(port) for port in pages] == [0, 0, 0, 0]
    desk.ask("manager", "contract", "freeze", "sums", "--reason", "sums grow too fast")
    assert desk.refused("consumer", *added) == "contract_frozen"
    desk.network.wait(
        lambda: [frozen(port) for port in pages] == [1, 1, 1, 1],
        timeout_s=10,
        what="every node shows the frozen contract",
    )
    assert desk.network.logs(200).count("contract_frozen") >= len(pages)
    proven(desk, "frozen", 2, SECOND)

    repaired = desk.file("three.py", REPAIRED)
    desk.ask("operator", "contract", "upgrade", "sums", repaired, "--reason", "cents again")
    assert desk.refused("supplier-a", "contract", "unfreeze", "sums") == "not_allowed"
    desk.ask("manager", "contract", "approve", "sums", repaired)
    proven(desk, "frozen", 3, REPAIRED)
    assert desk.refused("consumer", *added) == "contract_frozen"
    desk.ask("manager", "contract", "unfreeze", "sums")
    proven(desk, "active", 3, REPAIRED)
    assert desk.ask("consumer", *added)["value"] == 702


def revoked(desk: Desk) -> None:
    desk.ask("manager", "contract", "revoke", "sums", "--reason", "end of service")
    assert desk.refused("manager", "contract", "approve", "sums") == "not_allowed"
    desk.ask("tech", "contract", "approve", "sums")
    proven(desk, "revoked", 3, REPAIRED)
    view = "contract", "view", "sums", "read", "str:east"
    assert desk.refused("consumer", *view) == "contract_revoked"
    steps = [
        (s["step"], s["party"]) for s in desk.ask_list("consumer", "contract", "history", "sums")
    ]
    assert steps == [
        ("deploy", "tech"),
        *[("propose_upgrade", "tech"), ("approve", "operator"), ("withdraw", "tech")],
        *[("propose_upgrade", "tech"), ("approve", "operator"), ("approve", "manager")],
        ("upgrade", "manager"),
        ("freeze", "manager"),
        *[("propose_upgrade", "operator"), ("approve", "manager"), ("upgrade", "manager")],
        ("unfreeze", "manager"),
        *[("propose_revoke", "manager"), ("approve", "tech"), ("revoke", "tech")],
    ]
    for number, source in enumerate((FIRST, SECOND, REPAIRED), 1):
        words = "contract", "source", "sums", "--sequence", str(number), "--json"
        assert json.loads(desk.enter("consumer", *words).out)["text"] == source
    for word in ("revoked", "end of service", "propose_revoke"):
        assert word in desk.told("consumer", "contract", "show", "sums")
