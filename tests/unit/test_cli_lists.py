"""Lists by status and party, over as many pages as it takes; and events as they happen."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass

import pytest

from cli.filters import PARTY_FIELDS, Filter, parse_status
from cli.literals import LiteralInvalid
from cli.main import NOUNS, main
from cli.options import Invocation
from cli.output import CommandRefused
from client.node import ChainEvent
from ledger.values import Key, Value
from tests.fake_session import FakeSession, opened

# The nouns of one system contract each; all of these contracts tell events.
WATCHED = [noun for noun in NOUNS if hasattr(importlib.import_module(f"cli.{noun}"), "CONTRACT")]
GRANTS: list[Value] = [
    {"id": f"g-{number}", "status": "active" if number % 3 == 0 else "revoked", "operator": "opco"}
    for number in range(250)
]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    session = opened(monkeypatch)

    def view(contract: str, method: str, *args: Value) -> Value:
        assert method == "list"
        offset, limit = (arg for arg in args if isinstance(arg, int))
        session.calls.append((contract, method, args))
        return GRANTS[offset : offset + limit]

    monkeypatch.setattr(session, "view", view)
    return session


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["grant", "list", *words, "--json"]) == 0
    return [row["id"] for row in json.loads(capsys.readouterr().out)]


def test_a_status_is_looked_for_in_all_pages(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    every_third = [f"g-{number}" for number in range(0, 250, 3)]
    assert listed(capsys, "--status", "active", "--limit", "100") == every_third
    assert listed(capsys, "--status", "active") == every_third[:50]
    assert listed(capsys, "--status", "active", "--offset", "247") == ["g-249"]
    assert listed(capsys, "--status", "expired") == []


def test_what_is_wanted_ends_the_search(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(capsys, "--status", "active", "--limit", "2") == ["g-0", "g-3"]
    assert len(session.calls) == 1


def test_without_a_filter_one_page_is_asked_for_and_whether_there_is_more(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listed(capsys, "--limit", "7") == [f"g-{number}" for number in range(7)]
    assert session.calls == [("grant", "list", (0, 7)), ("grant", "list", (7, 1))]


@pytest.mark.parametrize(
    "filters", [(), ("--party", "opco"), ("--status", "active"), ("--status", "suspended")]
)
def test_pages_by_the_offset_that_is_told_are_the_whole_list(
    session: FakeSession, capsys: pytest.CaptureFixture[str], filters: tuple[str, ...]
) -> None:
    whole, pages, offset = listed(capsys, *filters, "--limit", "100"), [], "0"
    while offset:
        assert main(["grant", "list", "--json", *filters, "--limit", "7", "--offset", offset]) == 0
        shown = capsys.readouterr()
        pages += [row["id"] for row in json.loads(shown.out)]
        more = re.search("there is more: --offset ([0-9]+)", shown.err)
        offset = more[1] if more else ""
    assert pages[: len(whole)] == whole
    assert len(pages) == len(set(pages))


@pytest.mark.parametrize(
    ("row", "does"),
    [
        ({"operator": "opco"}, True),
        ({"party": "opco"}, True),
        ({"participants": [["health", "d-1"], ["opco", "d-2"]]}, True),
        ({"suppliers": ["health", "opco"]}, True),
        ({"participants": [["health", "opco2"]]}, False),
        ({"title": "opco", "id": "opco", "party": "health"}, False),
        ({"id": "opco", "roles": ["operator"]}, True),
        ({"id": "health", "roles": ["operator"]}, False),
        ({"operator": None}, False),
    ],
)
def test_a_record_concerns_the_parties_that_its_fields_name(
    row: dict[Key, Value], does: bool
) -> None:
    assert Filter(party="opco").fits(row) is does


def test_both_filters_hold_at_once() -> None:
    both = Filter("active", "opco")
    assert both.fits({"status": "active", "operator": "opco"})
    assert not both.fits({"status": "revoked", "operator": "opco"})
    assert not both.fits({"status": "active", "operator": "other"})


def test_a_filter_that_a_list_cannot_have_is_refused_and_not_passed_over() -> None:
    with pytest.raises(CommandRefused, match="list.status"):
        Filter(status="active").fits({"id": "joint", "members": []})
    with pytest.raises(CommandRefused, match="list.party"):
        Filter(party="opco").fits({"id": "joint", "members": []})


def test_a_status_is_taken_in_either_language() -> None:
    assert parse_status("suspended") == parse_status("已暂停") == "suspended"


def test_a_word_that_is_no_status_is_a_misuse_that_is_told_what_is_meant(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LiteralInvalid, match="did you mean suspended"):
        parse_status("suspend")
    assert main(["grant", "list", "--status", "activ"]) == 2
    assert session.calls == []


@pytest.mark.parametrize(
    "contract",
    ["agreement", "billing", "catalog", "delivery", "demand", "evaluation", "grant", "incident",
     "inquiry", "oversight", "product", "proposal", "rules", "task"],
)  # fmt: skip
def test_records_of_every_list_name_their_parties(contract: str) -> None:
    module = importlib.import_module(f"contracts.system.{contract}")
    records = [found for found in vars(module).values() if is_dataclass(found)]
    names = {one.name for record in records for one in fields(record)}
    assert names & PARTY_FIELDS


# --- watching -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    certified_height: int = 7


@dataclass
class Node:
    """A node whose chain goes on with these events."""

    coming: list[ChainEvent]
    asked: list[tuple[int, int, str, str]] = field(default_factory=list)

    def status(self) -> Status:
        return Status()

    def events(
        self, *, from_height: int, from_index: int, contract: str, name: str
    ) -> Iterator[ChainEvent]:
        self.asked.append((from_height, from_index, contract, name))
        yield from self.coming


def event(height: int, name: str, *, contract: str = "grant", **named: Value) -> ChainEvent:
    return ChainEvent(height, 0, bytes(32), contract, name, named, 1_700_000_000_000)


COMING = [
    event(8, "GrantUsed", grant_id="g-1", number=1),
    event(8, ""),
    event(9, "Revoked", grant_id="g-2", reason="g-1"),
    event(10, "Granted", grant_id="g-3", datasets=["d-1", "g-1"]),
    event(11, "Revoked", grant_id="g-3"),
]


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(COMING)

    @contextmanager
    def connection(ask: Invocation) -> Iterator[Node]:
        yield made

    monkeypatch.setattr(Invocation, "connection", connection)
    return made


def heights(capsys: pytest.CaptureFixture[str]) -> list[int]:
    return [json.loads(line)["height"] for line in capsys.readouterr().out.splitlines()]


def test_a_noun_is_watched_from_now_on(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grant", "watch", "--json"]) == 0
    assert node.asked == [(8, 0, "grant", "")]
    assert heights(capsys) == [8, 9, 10, 11]


def test_one_record_is_watched_by_what_names_it(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grant", "watch", "g-1", "--from-height", "3", "--json"]) == 0
    assert node.asked == [(3, 0, "grant", "")]
    assert heights(capsys) == [8, 9, 10]


def test_watching_ends_after_so_many(node: Node, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grant", "watch", "g-3", "--count", "1"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("10/0 ") and "grant.Granted" in printed.out
    assert len(printed.out.splitlines()) == 1
    assert "from height 8" in printed.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), [8, 9, 10, 11]),
        (("--until-height", "9"), [8, 9]),
        (("--until-height", "8"), [8]),
        (("--count", "3"), [8, 9, 10]),
    ],
)
def test_events_are_followed_to_an_end(
    words: tuple[str, ...], told: list[int], node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["event", "follow", *words, "--json"]) == 0
    assert heights(capsys) == told
    assert node.asked == [(0, 0, "", "")]


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_that_is_a_contract_is_watched(noun: str) -> None:
    module = importlib.import_module(f"cli.{noun}")
    if hasattr(module, "CONTRACT"):
        assert "watch" in [command.name for command in module.app.registered_commands]


def test_a_job_is_watched_with_the_tasks_of_its_steps(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    node.coming = [
        event(8, "JobCreated", contract="job", job_id="j-1", grant_id="g-1"),
        event(9, "JobStepStarted", contract="job", job_id="j-1", step="sum", task_id="t-1"),
        event(9, "JobQueued", contract="job", job_id="j-2", grant_id="g-1"),
        event(10, "JobStepEnded", contract="job", job_id="j-1", task_id="t-1", status="finished"),
    ]
    assert main(["job", "watch", "j-1", "--json"]) == 0
    assert node.asked == [(8, 0, "job", "")]
    assert heights(capsys) == [8, 9, 10]
    assert main(["job", "watch", "t-1"]) == 0
    assert "status=finished" in capsys.readouterr().out


@pytest.mark.parametrize("noun", WATCHED)
def test_every_noun_of_a_contract_that_tells_events_is_watched(noun: str, node: Node) -> None:
    module = importlib.import_module(f"cli.{noun}")
    assert main([noun, "watch", "nothing", "--json"]) == 0
    assert node.asked == [(8, 0, module.CONTRACT, "")]
