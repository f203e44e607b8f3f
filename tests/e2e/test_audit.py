"""Audit of real ledgers: an honest one holds, one with a flipped byte does not."""

from __future__ import annotations

import json
import random
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import plyvel
import pytest
from msgspec.structs import replace

from ledger.encoding import decode, encode
from ledger.merkle import receipts_root
from ledger.model import Block, CommitCertificate, ExecutionCertificate, ExecutionStatement
from ledger.schema import (
    BLOCK,
    CERTIFIED_KEY,
    COMMIT_CERTIFICATE,
    EXECUTION_CERTIFICATE,
    HEAD_KEY,
    RECEIPTS,
    STATEMENT,
    Receipts,
    at_height,
    number,
)
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


FORGED_HEIGHT = 5


def _bent(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


def _forge_sender(database: plyvel.DB) -> None:
    key = at_height(BLOCK, FORGED_HEIGHT)
    block = decode(database.get(key), Block, size_max=1 << 24)
    first = block.transactions[0]
    forged = replace(first, signature=_bent(first.signature))
    database.put(key, encode(replace(block, transactions=(forged, *block.transactions[1:]))))


def _forge_commit(database: plyvel.DB) -> None:
    key = at_height(COMMIT_CERTIFICATE, FORGED_HEIGHT)
    found = decode(database.get(key), CommitCertificate, size_max=1 << 24)
    first = found.signatures[0]
    forged = replace(first, signature=_bent(first.signature))
    database.put(key, encode(replace(found, signatures=(forged, *found.signatures[1:]))))


def _forge_execution(database: plyvel.DB) -> None:
    key = at_height(EXECUTION_CERTIFICATE, FORGED_HEIGHT)
    found = decode(database.get(key), ExecutionCertificate, size_max=1 << 24)
    first = found.signatures[0]
    forged = replace(first, signature=_bent(first.signature))
    database.put(key, encode(replace(found, signatures=(forged, *found.signatures[1:]))))


def _forge_outcome(database: plyvel.DB) -> None:
    """The newest block's receipt, its root and our statement, all consistent, and no quorum to
    contradict them: only running the block shows it."""
    head = int.from_bytes(database.get(HEAD_KEY), "big")
    found = decode(database.get(at_height(RECEIPTS, head)), Receipts, size_max=1 << 24)
    cheaper = replace(found.receipts[0], gas_used=found.receipts[0].gas_used - 1)
    receipts = (cheaper, *found.receipts[1:])
    database.put(at_height(RECEIPTS, head), encode(Receipts(receipts)))
    key = at_height(STATEMENT, head)
    statement = decode(database.get(key), ExecutionStatement, size_max=1 << 20)
    database.put(key, encode(replace(statement, receipts_root=receipts_root(receipts))))
    database.delete(at_height(EXECUTION_CERTIFICATE, head))
    database.put(CERTIFIED_KEY, number(head - 1))


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (_forge_sender, "signature"),
        (_forge_commit, "commit certificate"),
        (_forge_execution, "execution certificate"),
        (_forge_outcome, "gas_used"),
    ],
)
def test_a_forged_record_behind_good_checksums_is_found(
    ended: LocalNetwork, head: int, tmp_path: Path, forge: Callable[[plyvel.DB], None], says: str
) -> None:
    data = copy_of(ended, tmp_path)
    database = plyvel.DB(str(data / "ledger" / "db"))
    forge(database)
    database.close()
    code, verdict = replay(data, ended)
    assert code == 1
    height = head if forge is _forge_outcome else FORGED_HEIGHT
    assert str(verdict["verdict"]).startswith(f"block {height}: "), verdict
    assert says in str(verdict["verdict"]), verdict


def test_another_genesis_is_told_apart(
    ended: LocalNetwork, network: LocalNetwork, tmp_path: Path
) -> None:
    code, verdict = replay(copy_of(ended, tmp_path), network)
    assert code == 1
    assert "another genesis" in str(verdict["verdict"])
