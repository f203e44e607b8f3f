"""What a view shows, held against what the state proves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from cli.feature import is_on
from cli.output import CommandRefused
from cli.records import ATTEMPTS, STORED, prove_source, shown
from cli.stored import declaration, named
from client.account import Account
from client.light.connection import VerifyingConnection
from client.node import NodeClient
from client.session import Session
from ledger.values import Key, Value, decode_value, encode_value
from tests.business import ALGORITHM, Business, digest
from tests.fake_session import FakeSession
from tests.light_world import checking
from tests.moving_chain import Moving, served


class Teller(NodeClient):
    """A node whose views answer what the test says, one after the other, the last one for ever."""

    def __init__(self, target: str, answers: list[Value]) -> None:
        super().__init__(target)
        self.answers = answers
        self.views = 0

    def view(self, account: Account, contract: str, method: str, *args: Value) -> Value:
        self.views += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def telling(moving: Moving, *answers: Value) -> Iterator[tuple[Session, Teller]]:
    with served(moving.chain) as target, Teller(target, list(answers)) as node:
        yield Session(checking(node, moving.chain), moving.chain.voices[0]), node


def said(session: Session) -> list[str]:
    node = session.node
    assert isinstance(node, VerifyingConnection)
    return list(node.findings.said.values())


def stored(moving: Moving, contract: str, identifier: str) -> dict[Key, Value]:
    """The record as the contract's view shows it."""
    variable = STORED[contract]
    declared = declaration(contract, variable)
    kept = moving.chain.store.get(contract, encode_value([variable, identifier]))
    assert declared is not None and kept is not None
    record = named(declared.value_type, decode_value(kept))
    assert isinstance(record, dict)
    return record


def test_every_map_that_shows_are_held_against_is_there() -> None:
    for contract, variable in STORED.items():
        assert declaration(contract, variable) is not None, contract


def test_what_supervisors_see_is_what_the_contracts_keep() -> None:
    business = Business()
    now_ms = business.now_ms
    told: list[Value] = ["odd", "opco", "development", "warning", "rows leaked", b""]
    business.do("opco", "alert", "report", *told)
    asked: list[Value] = ["q1", "opco", "development", "logs", "which?", now_ms + 3_600_000]
    business.do("bureau", "inquiry", "ask", *asked)
    period: list[Value] = [now_ms - 3_600_000, now_ms - 1]
    judged: list[Value] = [
        [["quality", 70]],
        "passed",
        digest("report"),
        "records",
        now_ms + 10**10,
    ]
    business.do("bureau", "evaluation", "publish", "e1", "opco", *period, *judged)
    business.vetting()  # one image waits, and of another algorithm none does
    shows = [("alert", "alert-1"), ("inquiry", "q1"), ("evaluation", "e1")]
    shows += [("algorithm", "scores/1"), ("algorithm", ALGORITHM)]
    for contract, identifier in shows:
        declared = declaration(contract, STORED[contract])
        assert declared is not None
        key = encode_value([STORED[contract], identifier])
        kept = decode_value(business.chain.state[contract, key])
        view = business.ask_record("bureau", contract, "show", identifier)
        assert view == named(declared.value_type, kept)


@pytest.mark.parametrize(
    ("contract", "identifier"),
    [("evidence", "early"), ("parties", "p1"), ("feature", "grant_channels")],
)
def test_a_record_that_the_state_proves_counts_as_proved(
    moving: Moving, contract: str, identifier: str
) -> None:
    record = stored(moving, contract, identifier)
    with telling(moving, record) as (session, _):
        assert shown(session, contract, identifier) == record
        assert said(session) == []


def test_a_feature_is_on_as_of_the_block_that_proves_it(moving: Moving) -> None:
    record = stored(moving, "feature", "sealed_evidence")
    with telling(moving, record) as (session, node):
        assert shown(session, "feature", "sealed_evidence") == record
        assert isinstance(session.node, VerifyingConnection)
        height = session.node.findings.proved[-1].height
        for first, on in ((height, False), (height + 1, True)):
            assert is_on(session, record | {"after": False, "from_height": first}) is on
        assert said(session) == [] and node.views == 1


def test_a_feature_that_nothing_proves_is_on_as_the_node_says(moving: Moving) -> None:
    record = stored(moving, "feature", "sealed_evidence") | {"after": False}
    with telling(moving, True) as (session, _):
        assert is_on(session, record) is True
        assert ["feature.is_on" in sentence for sentence in said(session)] == [True]


def test_a_record_that_changes_between_the_questions_is_asked_for_again(moving: Moving) -> None:
    record = stored(moving, "parties", "p1")
    with telling(moving, record | {"reason": "old"}, record) as (session, node):
        assert shown(session, "parties", "p1") == record
        assert said(session) == [] and node.views == 2


def test_another_record_than_the_state_proves_is_refused(moving: Moving) -> None:
    lies: list[Value] = [
        stored(moving, "evidence", "early") | {"party": "p3"},
        {"id": "early"},
        None,
        7,
    ]
    for lie in lies:
        with telling(moving, lie) as (session, node):
            with pytest.raises(CommandRefused, match=r"record\.contradiction"):
                shown(session, "evidence", "early")
            assert node.views == 1 + ATTEMPTS


def test_a_record_that_is_not_there_is_refused(moving: Moving) -> None:
    with telling(moving, {"id": "never"}) as (session, _), pytest.raises(CommandRefused):
        shown(session, "evidence", "never")


def test_what_views_compute_stays_the_nodes_word(moving: Moving) -> None:
    with telling(moving, {"id": "t"}) as (session, _):
        assert shown(session, "task", "t") == {"id": "t"}
        assert ["task.show" in sentence for sentence in said(session)] == [True]


def test_without_proofs_the_view_is_all_there_is() -> None:
    fake = FakeSession({"evidence.show": {"id": "e"}})
    assert shown(cast(Session, fake), "evidence", "e") == {"id": "e"}


def test_a_source_is_proved_and_another_one_refused(moving: Moving) -> None:
    text = next(c.source for c in moving.chain.genesis.contracts if c.name == "grant")
    with telling(moving, text) as (session, _):
        session.view("contract", "source", "grant", 1)
        prove_source(session, "grant", 1, text, is_present=True)
        assert said(session) == []
        for given, number in ((text + "#", 1), (text, 2)):
            with pytest.raises(CommandRefused, match=r"record\.contradiction"):
                prove_source(session, "grant", number, given, is_present=False)
