"""What the parent takes from a worker for namespace "code": known keys, values of their form."""

from __future__ import annotations

import pytest

from contracts.vm.code_records import (
    CODE,
    NAMES_KEY,
    NO_PENDING,
    ContractRecord,
    Pending,
    Step,
    place_of,
)
from contracts.vm.messages import Call
from contracts.vm.policy import DEFAULT, POLICY_KEY, POLICY_PENDING_KEY
from contracts.vm.revalidate import ReplyInvalid, validate_writes
from contracts.vm.testing import Chain
from ledger.encoding import encode
from ledger.model import StateWrite
from ledger.values import encode_value
from tests.code_world import MANAGER, OPERATOR, TECH, found, upgrade

RECORD = encode(ContractRecord("notes", "active", 1, bytes(32), "ab", 1, "p", 1))
PENDING = encode(Pending("notes", "upgrade", 2, bytes(32), "why", 9, ("p",)))
STEP = encode(Step("deploy", 1, 1, "ab", "p", 1, bytes(32), "", bytes(32)))
SOURCE = "from contracts.dialect import view\n@view\ndef one() -> int:\n    return 1\n"


def validate(key: bytes, value: bytes | None) -> None:
    call = Call(b"", MANAGER, "contract", "deploy", b"", 1)
    validate_writes([StateWrite(CODE, key, value)], [call], lambda name: True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"notes", RECORD),
        (b"notes/1", b"source"),
        (b"notes/pending", PENDING),
        (b"notes/pending", NO_PENDING),
        (b"notes/layout", encode_value({"a": "b"})),
        (b"notes/step/1", STEP),
        (NAMES_KEY, encode_value(["notes"])),
        (POLICY_KEY, encode(DEFAULT)),
        (POLICY_PENDING_KEY, NO_PENDING),
    ],
)
def test_what_the_life_of_contracts_writes_is_taken(key: bytes, value: bytes) -> None:
    validate(key, value)
    with pytest.raises(ReplyInvalid):
        validate(key, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"", RECORD),
        (b"Notes", RECORD),
        (b"other", RECORD),  # the record of another contract
        (b"notes", STEP),
        (b"notes", RECORD + b"\0"),
        (b"notes/", RECORD),
        (b"notes/0", b"source"),
        (b"notes/01", b"source"),
        (b"notes/-1", b"source"),
        (b"notes/12345678901", b"source"),
        (b"notes/1/2", b"source"),
        (b"notes/1\n", b"source"),
        (b"notes/1", b"\xff"),
        (b"notes/1", b"x" * ((64 << 10) + 1)),
        (b"notes/pending", RECORD),
        (b"other/pending", PENDING),
        (b"notes/layout", b"\xc1"),
        (b"notes/step/0", STEP),
        (b"notes/step", STEP),
        (b"notes/step/1", PENDING),
        (b"notes/else", NO_PENDING),
        (b"/name", NO_PENDING),
        (b"n\xc3\xa4", RECORD),
        (NAMES_KEY, b"\xc1"),
        (POLICY_KEY, NO_PENDING),
        (POLICY_PENDING_KEY, encode(DEFAULT)),
        (b"/policy/else", NO_PENDING),
    ],
)
def test_anything_else_is_a_fault_of_the_worker(key: bytes, value: bytes) -> None:
    with pytest.raises(ReplyInvalid):
        validate(key, value)


def test_all_that_a_life_writes_has_a_place() -> None:
    chain: Chain = found()
    name = "n" * 64
    chain.must(TECH, "contract", "deploy", name, SOURCE, encode_value([]))
    assert upgrade(chain, name, SOURCE + "\n", TECH, OPERATOR, MANAGER).error == ""
    keys = [key for space, key in chain.state if space == CODE and key.startswith(b"n")]
    assert {place_of(key) for key in keys} == {
        (name, what) for what in ("", "source", "step", "pending")
    }
