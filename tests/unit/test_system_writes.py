"""What every step of the business writes and tells, pinned: system_writes.txt, to be read.

A status, a name or a time that a step forgets to set is seen here, and so is an event with other
fields. Every line is part of what replicas agree on. Renew with
`python -m tests.unit.test_system_writes`, and read what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from contracts.bundle import system_sources
from contracts.vm.compile import compile_source
from contracts.vm.declare import Storage
from contracts.vm.keys import declaration_of
from contracts.vm.state import StateKey
from contracts.vm.testing import account
from contracts.vm.types import RecordOf
from ledger.values import Value, decode_value, encode_value
from tests.business import ALGORITHM, PARTIES, Business, digest
from tests.business_steps import NEW_NODE, STEPS, an_incident
from tests.business_story import JOINT, MEMBER_ACCOUNTS
from tests.steps import Step, fixed, nothing

GOLDEN = Path(__file__).with_name("system_writes.txt")
PEOPLE = {account(who): f"@{who}" for who in PARTIES}
NEAR_MS = 10 * 366 * 24 * 3_600_000  # a number this close to the time of now is a time
SIGNATURE_SIZE = 64
SHOWN = 8  # bytes of what is longer than an address


def a_proposal(business: Business) -> None:
    business.do("bureau", "proposal", "admit_observer", "c1", *NEW_NODE)
    business.do("opco", "proposal", "approve", "c1")


def an_account(business: Business) -> None:
    business.do("opco", "multisig", "open_account", 2, [*MEMBER_ACCOUNTS], "both")
    business.do("bureau", "parties", "add_account", "opco", JOINT)


def an_act(business: Business) -> None:
    an_account(business)
    business.do("opco", "multisig", "propose", *ACT)


def of_the_act(business: Business) -> list[Value]:
    return ["j1", business.ask_record("opco", "multisig", "act", "j1")["digest"]]


RECORD: list[Value] = ["e1", "delivery.sent", "x", digest("x"), ""]
ACT: list[Value] = ["j1", JOINT, "evidence", "record", encode_value(RECORD), "why"]
REST = [  # not for test_system_roles: who may take them is another matter
    Step("proposal", "approve", a_proposal, fixed("c1"), ("health",), ""),
    Step("proposal", "reject", a_proposal, fixed("c1", "why"), ("board",), ""),
    Step("proposal", "withdraw", a_proposal, fixed("c1"), ("bureau",), ""),
    Step("multisig", "open_account", nothing, fixed(2, [*MEMBER_ACCOUNTS], "both"), ("opco",), ""),
    Step("multisig", "propose", an_account, fixed(*ACT), ("opco",), ""),
    Step("multisig", "approve", an_act, of_the_act, ("insurer",), ""),
    Step("multisig", "reject", an_act, fixed("j1", "why"), ("insurer",), ""),
    Step("multisig", "withdraw", an_act, fixed("j1"), ("opco",), ""),
    Step("evidence", "anchor_access", nothing, fixed(1, 1, 9, digest("h"), 0), ("opco",), ""),
    Step("incident", "suspend_algorithm", an_incident, fixed("i1", ALGORITHM, "bad"),
         ("bureau",), ""),
]  # fmt: skip


def numbered() -> dict[str, Step]:
    """The steps by their names; a second one of a method has a number."""
    found: dict[str, Step] = {}
    for step in (*STEPS, *REST):
        count = sum(one.split(" ")[0] == str(step) for one in found)
        found[f"{step} {count + 1}" if count else str(step)] = step
    return found


@pytest.mark.parametrize("name", numbered())
def test_a_step_writes_what_it_did(name: str) -> None:
    assert story_of(name) == golden()[name]


def test_no_other_step_is_pinned() -> None:
    assert golden().keys() == numbered().keys()


@cache
def golden() -> dict[str, str]:
    blocks = GOLDEN.read_text(encoding="utf-8").strip().split("\n\n")
    return {block.partition(" by ")[0]: block for block in blocks}


def story_of(name: str) -> str:
    step = numbered()[name]
    business = Business()
    step.prepare(business)
    args = step.args(business)
    before = dict(business.chain.state)
    who = step.allowed[0]
    events = business.do(who, step.contract, step.method, *args)
    words = Words(business.chain.time_ms, business.chain.height)
    lines = words.writes(before, business.chain.state)
    for event, fields in events:
        told = " ".join(f"{key}={words.value(value, key)}" for key, value in fields.items())
        lines.append(f"{event}: {told}")
    return "\n    ".join([f"{name} by {who}", *lines])


class Words:
    """How state is written down: times by the time of the step, accounts by whose they are."""

    def __init__(self, now_ms: int, height: int) -> None:
        self.now_ms = now_ms
        self.height = height

    def writes(
        self, before: Mapping[StateKey, bytes], after: Mapping[StateKey, bytes]
    ) -> list[str]:
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        return [
            f"{self.place(key)} {self.change(key, before.get(key), after.get(key))}"
            for key in sorted(changed)
        ]

    def place(self, key: StateKey) -> str:
        namespace, path = key
        name = declaration_of(path)
        if storages()[namespace][name].is_sorted:
            return f"{namespace}.{name}[{path.hex()[-16:]}]"
        parts = decode_value(path)
        assert isinstance(parts, list)
        inside = ", ".join(self.value(part, "") for part in parts[1:])
        return f"{namespace}.{name}" + (f"[{inside}]" if inside else "")

    def change(self, key: StateKey, before: bytes | None, after: bytes | None) -> str:
        if after is None:
            return "is gone"
        kind = storages()[key[0]][declaration_of(key[1])].value
        new = decode_value(after)
        old = None if before is None else decode_value(before)
        if not isinstance(kind, RecordOf) or not isinstance(new, list):
            return f"= {self.value(new, '')}"
        names = [name for name, _ in kind.fields]
        was = old if isinstance(old, list) else [None] * len(names)
        fields = [
            f"{name}={self.value(value, name)}"
            for name, value, earlier in zip(names, new, was, strict=True)
            if before is None or value != earlier
        ]
        return ("is new: " if before is None else "has now: ") + " ".join(fields)

    def value(self, value: Value, name: str) -> str:
        if name == "tx_id":
            return "TRANSACTION"
        if isinstance(value, bytes) and len(value) == SIGNATURE_SIZE:
            return "0x..(64)"  # a key, or a signature, which is another one each time
        if isinstance(value, bytes):
            cut = "" if len(value) <= SHOWN else f"..({len(value)})"
            return f"0x{value[:SHOWN].hex()}{cut}"
        if isinstance(value, list):
            return "[" + ", ".join(self.value(one, "") for one in value) + "]"
        if isinstance(value, dict):
            fields = ", ".join(
                f"{key!s}: {self.value(one, str(key))}" for key, one in value.items()
            )
            return "{" + fields + "}"
        if isinstance(value, str):
            return PEOPLE.get(value, f'"{value}"')
        if type(value) is int and (name == "since" or name.endswith("height")) and value:
            return f"HEIGHT{value - self.height:+}".removesuffix("+0")
        if type(value) is int and abs(value - self.now_ms) < NEAR_MS:
            since = value - self.now_ms
            return "NOW" if since == 0 else f"NOW+{since}" if since > 0 else "EARLIER"
        return str(value)


@cache
def storages() -> dict[str, dict[str, Storage]]:
    return {name: compile_source(source).storage for name, source in system_sources()}


if __name__ == "__main__":
    GOLDEN.write_text("\n\n".join(map(story_of, numbered())) + "\n", encoding="utf-8")
