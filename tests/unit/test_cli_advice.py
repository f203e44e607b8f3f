"""Refusals that say who you are, how the record stands, who acts next and by which command."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.advice import NEXT, OWN_CODE, advised, named, verbs_of, with_nouns
from cli.language import Language, speak
from cli.main import NOUNS, main
from cli.options import Invocation
from cli.output import explain
from cli.translated import translated
from client.errors import Refused
from client.session import Session
from contracts.system.parties import ROLES
from contracts.vm.codes import ViewRefused
from contracts.vm.testing import account as address_of
from ledger.model import address_of as address_in
from ledger.values import Value
from tests.applications import applied, decision
from tests.business import (
    HOUR_MS,
    STRANGER,
    Business,
    changed,
    dataset_of,
    digest,
    node_public,
    step,
)

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Signer:
    """What a session needs of an account."""

    address: str


@dataclass
class Node:
    """A node that answers views from a business, or what is set here instead."""

    business: Business
    who: str
    instead: dict[str, Value] = field(default_factory=dict)
    asked: int = 0

    def view(self, account: object, contract: str, method: str, *args: Value) -> Value:
        self.asked += 1
        if f"{contract}.{method}" in self.instead:
            return self.instead[f"{contract}.{method}"]
        try:
            return self.business.ask(self.who, contract, method, *args)
        except ViewRefused as refusal:
            raise Refused(refusal.code, refusal.detail) from None


@pytest.fixture
def business() -> Business:
    return Business()


def session_of(node: Node) -> Session:
    return Session(node, Signer(address_of(node.who)))  # type: ignore[arg-type]  # enough of both


def told(node: Node, contract: str, method: str, *args: Value) -> str:
    """What a person reads who makes a call that the contract refuses."""
    receipt = node.business.act(node.who, contract, method, *args)
    assert receipt.status != 0, "it was not refused"
    refusal = Refused(receipt.error, receipt.detail)
    refusal.asked = (contract, method, args)
    return explain(advised(session_of(node), refusal))[1]


def test_an_application_is_called_by_its_name_and_looked_for_where_it_is_listed(
    business: Business,
) -> None:
    applied(business)
    node = Node(business, "bureau")
    asked = told(node, "admission", "refuse", "a9", "unknown")
    assert "shuxin party applications" in asked
    words = decision(business)
    business.do("bureau", "admission", "refuse", "a1", "incomplete")
    assert "application a1 is refused" in told(node, "admission", "admit", *words)


def test_a_grant_that_expired_says_when_and_how_to_ask_anew(business: Business) -> None:
    business.granted(hours=1)
    business.pass_time(2 * HOUR_MS)
    sentence = told(Node(business, "opco"), "task", "create", *business.order())
    assert sentence.startswith("request a new grant; grant g1 is expired; it ended 20")
    assert sentence.endswith("its operator asks anew: shuxin grant request … --demand d1")


def test_a_revoked_grant_says_why(business: Business) -> None:
    business.granted()
    business.do("bureau", "grant", "revoke", "g1", "purpose fell away")
    sentence = told(Node(business, "opco"), "task", "create", *business.order())
    assert "grant g1 is revoked; the reason: purpose fell away; its operator" in sentence


def test_a_grant_that_is_used_up_says_how_often(business: Business) -> None:
    business.created(uses_max=1)
    sentence = told(Node(business, "opco"), "task", "create", *business.order("t2"))
    assert "it was used 1 of 1 times; its operator asks anew" in sentence


def test_a_grant_on_its_way_says_who_acts_next(business: Business) -> None:
    opco = Node(business, "opco")
    business.requested()
    order = business.order()
    assert "next, manager: shuxin grant review g1" in told(opco, "task", "create", *order)
    business.do("bureau", "grant", "review", "g1")
    assert "next, manager: shuxin grant approve g1" in told(opco, "task", "create", *order)


def test_a_record_in_another_status_says_which(business: Business) -> None:
    business.approved()
    sentence = told(Node(business, "bureau"), "demand", "review", "d1", True, "", ["claims"])
    assert sentence.endswith("demand d1 is approved")


def test_a_product_that_waits_says_who_approves_it(business: Business) -> None:
    business.registered()
    offer: list[Value] = ["v1", "p1", "insurer", digest("a"), digest("b")]
    sentence = told(Node(business, "opco"), "delivery", "offer", *offer)
    assert "product p1 is registered; next, manager: shuxin product approve p1" in sentence


def test_a_task_is_told_of_by_its_file(business: Business) -> None:
    business.finished()
    sentence = told(Node(business, "opco"), "task", "fail", "t1", "too late")
    assert "task t1 is finished; next, operator: shuxin product register … --task t1" in sentence


def test_who_may_not_is_told_for_whom_the_key_speaks(business: Business) -> None:
    business.requested()
    sentence = told(Node(business, "health"), "grant", "review", "g1")
    assert sentence.endswith("your key speaks for health (supplier); name another with --key")
    sentence = told(Node(business, STRANGER), "grant", "review", "g1")
    assert f"speaks for no active party: shuxin party whois {address_of(STRANGER)}" in sentence


def test_what_is_unknown_is_to_be_looked_for(business: Business) -> None:
    sentence = told(Node(business, "bureau"), "grant", "review", "g9")
    assert sentence == "no grant has this id; look for it with `shuxin grant list`"


def test_the_words_are_chinese_where_the_locale_is(business: Business) -> None:
    business.granted()
    business.do("bureau", "grant", "revoke", "g1", "用途不再")
    speak(Language.CHINESE)
    try:
        sentence = told(Node(business, "opco"), "task", "create", *business.order())
    finally:
        speak(Language.ENGLISH)
    assert "grant g1 的状态：已撤销; 原因：用途不再; 请授权运营方重新申请" in sentence


def test_what_a_grant_does_not_name_is_said_with_the_words_for_a_new_one(
    business: Business,
) -> None:
    business.finished()
    opco = Node(business, "opco")
    made: list[Value] = ["p1", "t1", "Rows", "", digest("result"), "rows"]
    sentence = told(opco, "product", "register", *made)
    assert sentence.endswith(
        "grant g1 allows statistics, not rows; ask for a new grant: "
        "shuxin grant request … --demand d1 --output-kind rows"
    )
    order = changed(business.order("t2"), 2, "training/1")
    sentence = told(opco, "task", "create", *order)
    assert "allows statistics/1, not training/1; ask" in sentence
    assert sentence.endswith("--demand d1 --algorithm training/1")
    business.enter("social", "births")
    others = changed(
        business.order("t2"), 4, [["health", dataset_of("health")], ["social", "births"]]
    )
    assert told(opco, "task", "create", *others).endswith("--demand d1 --dataset births")
    opco.instead["grant.show"] = {"outputs": ["a\nb"], "demand_id": "d; rm"}
    sentence = told(opco, "product", "register", *made)
    assert sentence.endswith("allows a b, not rows; ask for a new grant: shuxin grant request … "
                             "--demand … --output-kind rows")  # fmt: skip


def test_a_receiver_beside_the_grant_is_said_by_name(business: Business) -> None:
    business.granted(uses_max=9)
    key = node_public("desk of rival")
    business.do("bureau", "parties", "add_account", "rival", address_in(key))
    opco = Node(business, "opco")
    between = "the receiver is a key of rival; grant g1 is between opco, insurer"
    assert told(opco, "task", "create", *changed(business.order(), 5, key)).endswith(between)
    plan = changed(business.plan("j1"), -1, [step("first", key=key)])
    assert told(opco, "job", "create", *plan).endswith(between)


LIES: list[Value] = [
    None, 7, "x", [], {}, [["x"]], {"status": 7}, {"status": ["revoked"]}, {"task": {}},
    {"status": "revoked", "reason": 7, "uses": "1", "uses_max": None, "expires_ms": "now"},
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_whatever_a_node_answers_the_contracts_own_sentence_stays(
    lie: Value, business: Business
) -> None:
    business.granted()
    business.do("bureau", "grant", "revoke", "g1", "r")
    node = Node(business, "opco", {"grant.show": lie, "parties.standing": lie})
    assert told(node, "task", "create", *business.order()).startswith("request a new grant")
    node.instead["grant.standing"] = lie
    assert told(node, "task", "create", *business.order()).startswith("request a new grant")
    assert told(node, "grant", "review", "g1").startswith("sign with an account")


def test_nothing_that_a_node_made_up_stands_in_a_command_or_on_a_line_of_its_own(
    business: Business,
) -> None:
    business.granted()
    business.do("bureau", "grant", "revoke", "g1", "r")
    lie: Value = {"status": "revoked", "reason": "r\nrefused: x", "demand_id": "d1; rm -rf ~"}
    node = Node(business, "opco", {"grant.show": lie})
    sentence = told(node, "task", "create", *business.order())
    assert "rm -rf" not in sentence and "\n" not in sentence
    assert sentence.endswith("shuxin grant request … --demand …")
    node.instead = {"parties.standing": ["a\nb" * 99, ["c\nd"]]}
    assert "\n" not in told(node, "grant", "review", "g1")


def test_where_nothing_can_be_asked_the_sentence_stays_as_it_is(business: Business) -> None:
    node = Node(business, "opco")
    plain = Refused("refused", "grant.expired: request a new grant")
    assert advised(session_of(node), plain) is plain
    for detail in ("not today", "", "nothing.known: x", "identity.status: x", "grant.status: x"):
        refusal = Refused("refused", detail)
        refusal.asked = ("nothing", "at_all", ("g1",))
        assert advised(session_of(node), refusal) is refusal
    refusal = Refused("refused", "grant.status: x")
    refusal.asked = ("grant", "review", ("g9",))
    assert advised(session_of(node), refusal) is refusal


def test_arguments_have_the_names_of_the_contract() -> None:
    assert named("grant", "review", ("g1",)) == {"grant_id": "g1"}
    assert named("evidence", "record", ("e", "k"))["evidence_id"] == "e"
    for contract, method in (("os", "system"), ("grant", "require_reader_"), ("grant", "uses")):
        assert named(contract, method, ("g1",)) == {}


@pytest.mark.parametrize(("contract", "status"), NEXT)
def test_the_command_that_comes_next_is_one_of_ours(contract: str, status: str) -> None:
    role, command = NEXT[contract, status]
    noun, verb, *_ = command.split()
    assert noun in NOUNS and role in ROLES
    app = importlib.import_module(f"cli.{noun}").app
    assert verb in [registered.name for registered in app.registered_commands]
    source = Path(importlib.import_module(f"contracts.system.{contract}").__file__ or "")
    assert f'"{status}"' in source.read_text(encoding="utf-8")


NO_COMMANDS = frozenset({"derive", "work_of"})  # an action of ODRL, a view for programs


ELSEWHERE = ("admission", "identity", "parties", "preapproval", "rules")  # whose nouns differ


def sentences_of_contracts() -> Iterator[tuple[str, str]]:
    """Code and sentence of every refusal that a system contract writes out."""
    for path in sorted((ROOT / "contracts" / "system").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if (own := OWN_CODE.match(node.value)) and "\n" not in node.value:
                yield own[1], node.value[own.end() :]


@pytest.mark.parametrize("language", list(Language))
def test_every_command_that_a_refusal_names_exists(language: Language) -> None:
    speak(language)
    try:
        named = [
            command
            for contract, sentence in sentences_of_contracts()
            if contract in (*NOUNS, *ELSEWHERE)
            for command in re.findall("`(.*?)`", with_nouns(contract, translated(sentence)))
        ]
    finally:
        speak(Language.ENGLISH)
    odd = {command for command in named if command not in NO_COMMANDS and not exists(command)}
    assert odd == set()


def exists(command: str) -> bool:
    program, noun, verb = [*command.split(), "", ""][:3]
    return program == "shuxin" and noun in NOUNS and (not verb or verb in verbs_of(noun))


def test_every_refused_command_of_a_session_comes_with_advice(
    business: Business, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node = Node(business, "health")

    @contextmanager
    def connection(ask: Invocation) -> Iterator[Node]:
        yield node

    monkeypatch.setattr(Invocation, "connection", connection)
    monkeypatch.setattr(Invocation, "account", lambda ask: Signer(address_of("health")))
    assert main(["grant", "show", "g9"]) == 1
    assert "refused: grant.unknown: no grant has this id" in (error := capsys.readouterr().err)
    assert "look for it with `shuxin grant list`" in error
