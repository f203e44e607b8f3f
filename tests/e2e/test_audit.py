"""Audit of real ledgers: an honest one holds, one with a flipped byte does not."""

from __future__ import annotations

import json
import random
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.store import Store
from tests.e2e.harness import LocalNetwork, shuxin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BLOCKS = 12
FLIPS = 8  # flipped bytes tried, spread over the files of the database


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalNetwork]:
    """A network that ran for some blocks and was stopped."""
    network = LocalNetwork(tmp_path_factory.mktemp("ended") / "net")
    try:
        network.up()
        session = network.session("operator")
        with session.node:
            for _ in range(BLOCKS):
                name = f"e-{secrets.token_hex(8)}"
                session.call("evidence", "record", name, "delivery.sent", name, bytes(32), "")
        network.wait(network.agree, timeout_s=30, what="all nodes at one height")
    finally:
        network.down()
    yield network


def replay(data: Path, network: LocalNetwork) -> tuple[int, dict[str, object]]:
    result = shuxin(
        "audit", "replay", str(data), "--genesis", str(network.root / "genesis.json"), "--json"
    )
    assert result.stdout, result.stderr
    answer: dict[str, object] = json.loads(result.stdout)
    return result.returncode, answer


def copy_of(network: LocalNetwork, folder: Path) -> Path:
    data = folder / "data"
    shutil.copytree(network.root / "nodes" / "node0" / "data", data)
    return data


@pytest.fixture(scope="module")
def head(ended: LocalNetwork, tmp_path_factory: pytest.TempPathFactory) -> int:
    """The height of the ledger; read from a copy, because opening moves LevelDB's log."""
    store = Store.open(copy_of(ended, tmp_path_factory.mktemp("head")) / "ledger")
    height = store.height
    store.close()
    return height


def test_an_honest_ledger_is_replayed_and_holds(ended: LocalNetwork, tmp_path: Path) -> None:
    code, verdict = replay(copy_of(ended, tmp_path), ended)
    assert code == 0, verdict
    assert "intact" in str(verdict["verdict"])
    assert int(str(verdict["transactions"])) >= BLOCKS
    assert verdict["certified_height"] == verdict["height"]


@pytest.mark.parametrize("seed", range(FLIPS))
def test_one_flipped_byte_is_found_and_its_block_named(
    ended: LocalNetwork, head: int, tmp_path: Path, seed: int
) -> None:
    data = copy_of(ended, tmp_path)
    draw = random.Random(seed)
    files = sorted(path for path in (data / "ledger").rglob("*") if path.suffix in (".ldb", ".log"))
    weights = [path.stat().st_size for path in files]
    path = draw.choices(files, weights)[0]
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(bytes(content))
    code, verdict = replay(data, ended)
    assert code == 1, f"{path.name} was flipped and nobody noticed: {verdict}"
    divergence = verdict["divergence"]
    assert isinstance(divergence, dict)
    assert 0 <= divergence["height"] <= head, verdict
    assert str(verdict["verdict"]).startswith(f"block {divergence['height']}: "), verdict


@pytest.mark.parametrize("height", [1, 4, 8])
def test_a_byte_flipped_in_a_block_names_just_that_block(
    ended: LocalNetwork, tmp_path: Path, height: int
) -> None:
    store = Store.open(copy_of(ended, tmp_path / "read") / "ledger")
    signature = store.block(height).transactions[0].signature
    store.close()
    data = copy_of(ended, tmp_path / "flipped")
    (log,) = (data / "ledger" / "db").glob("*.log")
    content = bytearray(log.read_bytes())
    content[content.index(signature) + 7] ^= 1
    log.write_bytes(bytes(content))
    code, verdict = replay(data, ended)
    assert code == 1
    assert str(verdict["verdict"]).startswith(f"block {height}: "), verdict


def test_another_genesis_is_told_apart(
    ended: LocalNetwork, network: LocalNetwork, tmp_path: Path
) -> None:
    code, verdict = replay(copy_of(ended, tmp_path), network)
    assert code == 1
    assert "another genesis" in str(verdict["verdict"])
