"""`shuxin history`: what is asked of a node, what is misuse, and what people see."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cli.main import main
from contracts.vm.keys import SORTED, sorted_part
from ledger.encoding import encode
from ledger.history.pages import encode_cursor
from ledger.values import encode_value
from tests.cluster_world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World(1)
    yield world
    world.close()


def ask(world: World, *words: str) -> int:
    return main(["history", *words, "--no-verify", "--node", world.nodes[0].target])


@pytest.mark.parametrize(
    "words",
    [
        ("account", "abcd"),
        ("account", "zz" * 20),
        ("key", "notes", "zz", "--raw"),
        ("key", "notes", "by_time", "[1]", "--sorted"),
        ("key", "notes", "notes", "--limit", "0"),
        ("key", "notes", "notes", "--limit", "10001"),
        ("key", "notes", "notes", "--cursor", "xyz"),
        ("key", "notes", "notes", "--from-height", "-1"),
        ("subject", "0xabc"),
    ],
)
def test_misuse_is_told_before_a_node_is_asked(world: World, words: tuple[str, ...]) -> None:
    before = world.nodes[0].calls.total()
    assert ask(world, *words) == 2
    assert world.nodes[0].calls.total() == before


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("notes", "total"), encode_value(["total"])),
        (("notes", "notes", "k"), encode_value(["notes", "k"])),
        (("notes", "uses", "g-1", "7"), encode_value(["uses", "g-1", 7])),
        (("notes", "uses", "str:7", "0x0a"), encode_value(["uses", "7", b"\x0a"])),
        (("notes", "c1ff", "--raw"), b"\xc1\xff"),
        (
            ("notes", "by_time", "7", "--sorted"),
            bytes([SORTED]) + encode("by_time") + sorted_part(7),
        ),
    ],
)
def test_a_key_is_asked_for_as_the_contract_stores_it(
    world: World, words: tuple[str, ...], key: bytes
) -> None:
    assert ask(world, "key", *words) == 0
    assert (world.nodes[0].asked.namespace, world.nodes[0].asked.key) == ("notes", key)


def test_span_and_cursor_reach_the_node(world: World) -> None:
    cursor = encode_cursor(3, 4)
    words = "--oldest-first", "--from-height", "2", "--to-height", "0", "--cursor", cursor.hex()
    assert ask(world, "key", "notes", "total", "--limit", "7", *words) == 0
    span = world.nodes[0].asked.span
    assert (span.oldest_first, span.from_height, span.cursor, span.limit) == (True, 2, cursor, 7)
    assert span.HasField("to_height") and span.to_height == 0


def test_json_has_all_that_is_needed_to_go_on(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(world, "key", "notes", "total", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer)[:5] == ["rows", "cursor", "is_complete", "first_height", "height"]
    assert answer["verified"] is False, "a history has no proof"
    value = "0x" + b"node0".hex()
    assert answer["rows"][0]["value"] == value, "what is no contract value is shown in hex"
    assert ask(world, "subject", "never") == 0
    told = capsys.readouterr()
    assert told.out == "" and "begins with block 0" in told.err
