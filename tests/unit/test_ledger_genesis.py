"""The genesis file: readable, strict, and the same genesis after every trip."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger.errors import DecodeError
from ledger.genesis import FILE_SIZE_MAX, Genesis, chain_id, load_genesis, save_genesis
from tests.ledger_world import make_genesis


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "genesis.json"
    save_genesis(make_genesis(), path)
    return path


Shown = dict[str, Any]


def _change(path: Path, change: Callable[[Shown], object]) -> None:
    shown = json.loads(path.read_text())
    change(shown)
    path.write_text(json.dumps(shown))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda g: g.pop("limits"), "limits"),
        (lambda g: g.update(extra=1), "extra"),
        (lambda g: g.update(version=2), r"\$\.version"),
        (lambda g: g.update(time_ms="now"), r"\$\.time_ms"),
        (lambda g: g.update(time_ms=2**70), r"out of range|too large|64|int too"),
        (lambda g: g["limits"].update(valid_window=0), r"\$\.limits\.valid_window"),
        (lambda g: g["limits"].pop("block_gas_max"), "block_gas_max"),
        (lambda g: g["limits"].pop("heartbeat_ms"), "heartbeat_ms"),
        (lambda g: g["limits"].update(heartbeat_ms=0), r"\$\.limits\.heartbeat_ms"),
        (lambda g: g.update(validators=[]), r"\$\.validators"),
        (lambda g: g["validators"][1].update(public_key="ab"), r"\$\.validators\[1\]\.public_key"),
        (lambda g: g["validators"][0].update(public_key="zz" * 64), r"validators\[0\]\.public_key"),
        (lambda g: g["validators"][0].update(public_key="AB" * 64), "lower-case"),
        (lambda g: g["validators"][0].update(name="v1"), r"'v1' occurs 2 times"),
        (lambda g: g["parties"][0].update(roles="manager"), r"\$\.parties\[0\]\.roles"),
        (lambda g: g["contracts"][0].update(args="9"), r"\$\.contracts\[0\]\.args"),
        (lambda g: g["contracts"][0].update(source="x"), r"\$\.contracts\[0\]\.source"),
    ],
)
def test_a_wrong_field_is_named(path: Path, change: Callable[[Shown], object], named: str) -> None:
    _change(path, change)
    with pytest.raises(DecodeError, match=named):
        load_genesis(path)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_is_not_a_genesis_is_a_decode_error(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(DecodeError, match="not a genesis file"):
        load_genesis(path)


def test_a_file_over_the_limit_is_not_read(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(FILE_SIZE_MAX + 1)
    with pytest.raises(DecodeError, match="exceeds the limit"):
        load_genesis(path)


def test_a_saved_genesis_loads_as_the_same_chain(path: Path) -> None:
    genesis = load_genesis(path)
    assert genesis == make_genesis() and chain_id(genesis) == chain_id(make_genesis())


def test_the_file_shows_names_hexadecimal_and_source_lines(path: Path) -> None:
    shown = json.loads(path.read_text())
    assert shown["name"] == "测试 chain" and "测试" in path.read_text()
    assert shown["validators"][2]["public_key"] == "03" * 64
    assert shown["contracts"][0]["source"] == ["x = 1", "", "# 行", ""]
    assert shown["limits"]["valid_window"] == 600
    assert shown["limits"]["heartbeat_ms"] == 60_000


@pytest.mark.parametrize("field", Genesis.__struct_fields__)
def test_the_chain_id_covers_every_field(field: str) -> None:
    genesis = make_genesis()
    others: dict[str, object] = {
        "version": 2,
        "name": "x",
        "time_ms": 1,
        "validators": type(genesis.validators)(genesis.validators.validators[:3]),
        "parties": (),
        "contracts": (),
        "limits": type(genesis.limits)(valid_window=7),
        "vm_version": "vm/2",
    }
    changed = msgspec.structs.replace(genesis, **{field: others[field]})
    assert chain_id(changed) != chain_id(genesis)
