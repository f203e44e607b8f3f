"""`shuxin parameter`, `feature`, `policy`, and the verbs of `proposal` that change them."""

from __future__ import annotations

import json

import pytest

from cli.advice import with_nouns
from cli.language import Language, speak
from cli.literals import LiteralInvalid, parse_setting, parse_share, parse_term
from cli.main import main
from client.node import Outcome
from client.proposals import about
from client.waiting import reader_of
from client.work import waiting_for
from contracts.parameters import PARAMETERS
from contracts.system.policy import KINDS
from contracts.vm.testing import account
from ledger.genesis import Limits
from ledger.model import Transaction
from ledger.values import Key, Value
from tests.council import WINDOW, Council
from tests.fake_session import FakeSession, opened

AHEAD = 5_000  # heights: far beyond a window
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
QUORUM_OF_A_WEEK: dict[Key, Value] = {
    "kind": "add_validator",
    "managers": 1,
    "share": 0,
    "is_guarded": True,
    "has_veto": True,
    "term_ms": 7 * DAY_MS,
    "proposal_id": "",
}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    fake = opened(monkeypatch)
    fake.answers = {
        "policy.show": QUORUM_OF_A_WEEK,
        "feature.list": [{"name": "sealed_evidence"}],
    }
    return fake


@pytest.fixture
def council(monkeypatch: pytest.MonkeyPatch) -> Council:
    """Commands go to the contracts themselves, signed by the bureau, a manager."""
    council, fake = Council(), opened(monkeypatch)

    def call(contract: str, method: str, *args: Value, gas_limit: int | None = None) -> Outcome:
        receipt = council.act("bureau", contract, method, *args)
        assert receipt.status == 0, receipt.detail
        return Outcome(Transaction(b"", b""), receipt, council.chain.height, 0, None)

    monkeypatch.setattr(fake, "call", call)
    monkeypatch.setattr(
        fake, "view", lambda contract, method, *args: council.ask("bureau", contract, method, *args)
    )
    return council


def proposed(council: Council, *words: str) -> None:
    """The proposal `p` by this command, carried."""
    verb, *rest = words
    assert main(["proposal", verb, "p", *rest, "--reason", "r"]) == 0
    council.carry("p")
    assert council.status("p") == "decided"


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main([*words]) == 0
    return capsys.readouterr().out


def rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Value]]:
    """The list that a command prints for programs."""
    found: list[dict[str, Value]] = json.loads(shown(capsys, *words, "--json"))
    return found


def record(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Value]:
    """The record that a command prints for programs."""
    found: dict[str, Value] = json.loads(shown(capsys, *words, "--json"))
    return found


def row_of(capsys: pytest.CaptureFixture[str], noun: str, first: str) -> list[str]:
    """The row of `shuxin NOUN list` that begins with this word."""
    lines = shown(capsys, noun, "list").splitlines()
    [found] = [line.split() for line in lines if line.split()[:1] == [first]]
    return found


# --- what is typed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "=1", "block_size_max", "block_size_max=", "block_size_max=1MiB", "a=-1", "a=1.5",
             "a=1e6", "a=٣", "A=1", "a=01", f"a={10**18}"],
)  # fmt: skip
def test_a_setting_is_a_name_and_a_whole_number(text: str) -> None:
    with pytest.raises(LiteralInvalid):
        parse_setting(text)


@pytest.mark.parametrize("text", ["", "0", "0%", "101", "-5", "60.5", "%", "all", "6 0"])
def test_a_share_is_percent_or_a_quorum(text: str) -> None:
    with pytest.raises(LiteralInvalid):
        parse_share(text)


@pytest.mark.parametrize("text", ["", "d", "7 d", "-7d", "7w", "1.5h", "7dd", "1000000h", "7ms"])
def test_a_term_is_hours_or_days(text: str) -> None:
    with pytest.raises(LiteralInvalid):
        parse_term(text)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["cancel-parameters", "p", "--from-height", str(10**99), "--reason", "r"], "call.number"),
        (["change-policy", "p", "add_validator", "--managers", str(10**99), "--reason", "r"],
         "call.number"),
        (["approve", "p", "--key", "k"], ""),
        (["reject", "p", "--reason", "not UTF-8: \udcff"], "call.text"),
    ],
)  # fmt: skip
def test_what_no_transaction_can_carry_is_refused_before_it_is_signed(
    session: FakeSession, capsys: pytest.CaptureFixture[str], words: list[str], code: str
) -> None:
    assert main(["proposal", *words]) == (1 if code else 0)
    assert not code or capsys.readouterr().err.startswith(f"refused: {code}: ")


@pytest.mark.parametrize(
    "answer", [7, [5], [{"from_height": 1}], [{"from_height": 1, "values": 3}]]
)
def test_a_node_that_tells_no_terms_is_said_to(
    session: FakeSession, capsys: pytest.CaptureFixture[str], answer: Value
) -> None:
    session.answers["parameter.terms"] = answer
    assert main(["parameter", "terms"]) == 1
    assert "refused: parameter.answer: the node told no terms" in capsys.readouterr().err


def test_settings_shares_and_terms_are_read() -> None:
    assert parse_setting("heartbeat_ms=30000") == ("heartbeat_ms", 30000)
    assert parse_setting("a=0") == ("a", 0)
    assert [parse_share(text) for text in ("quorum", "1", "60%", "100")] == [0, 1, 60, 100]
    assert [parse_term(text) for text in ("36", "36h", "7d")] == [
        36 * HOUR_MS,
        36 * HOUR_MS,
        7 * DAY_MS,
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["change-parameters", "p"],
        ["change-parameters", "p", "--set", "heartbeat_ms"],
        ["change-parameters", "p", "--set", "a=1", "--not-before", "-1"],
        ["cancel-parameters", "p"],
        ["cancel-parameters", "p", "--from-height", "0"],
        ["switch-feature", "p", "sealed_evidence"],
        ["switch-feature", "p", "--off"],
        ["switch-feature", "p", "No Name", "--off"],
        ["cancel-feature", "p"],
        ["change-policy", "p"],
        ["change-policy", "p", "add_validator", "--share", "101"],
        ["change-policy", "p", "add_validator", "--term", "soon"],
        ["change-policy", "p", "add_validator", "--managers", "-1"],
    ],
)
def test_what_cannot_be_meant_is_a_misuse(words: list[str], session: FakeSession) -> None:
    assert main(["proposal", *words, "--reason", "r"]) == 2
    assert session.calls == []


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (
            ["change-parameters", "p", "--set", "a=1", "--set", "b=2"],
            ("change_parameters", ("p", [["a", 1], ["b", 2]], 0, "r")),
        ),
        (
            ["change-parameters", "p", "--set", "a=1", "--not-before", "500"],
            ("change_parameters", ("p", [["a", 1]], 500, "r")),
        ),
        (
            ["cancel-parameters", "p", "--from-height", "500"],
            ("cancel_parameters", ("p", 500, "r")),
        ),
        (
            ["switch-feature", "p", "sealed_evidence", "--off", "--not-before", "9"],
            ("switch_feature", ("p", "sealed_evidence", False, 9, "r")),
        ),
        (
            ["switch-feature", "p", "sealed_evidence", "--on"],
            ("switch_feature", ("p", "sealed_evidence", True, 0, "r")),
        ),
        (
            ["switch-feature", "p", "ours", "--on", "--new"],
            ("switch_feature", ("p", "ours", True, 0, "r")),
        ),
        (["cancel-feature", "p", "ours"], ("cancel_feature", ("p", "ours", "r"))),
        (
            ["change-policy", "p", "add_validator", "--managers", "2", "--share", "60%"],
            ("change_policy", ("p", "add_validator", 2, 60, True, 7 * DAY_MS, "r")),
        ),
        (
            ["change-policy", "p", "add_validator", "--no-veto", "--term", "36h"],
            ("change_policy", ("p", "add_validator", 1, 0, False, 36 * HOUR_MS, "r")),
        ),
    ],
)
def test_each_verb_proposes_what_it_says(
    words: list[str], call: tuple[str, tuple[Value, ...]], session: FakeSession
) -> None:
    assert main(["proposal", *words, "--reason", "r"]) == 0
    assert session.calls[-1] == ("proposal", *call)


def test_a_feature_that_is_not_listed_is_switched_on_on_purpose_only(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["proposal", "switch-feature", "p", "sealed_evidnce", "--reason", "r"]
    assert main([*words, "--on"]) == 1
    assert "feature.unknown" in capsys.readouterr().err
    assert not any(contract == "proposal" for contract, _method, _args in session.calls)


def test_a_refusal_names_the_command_that_lists_what_there_is() -> None:
    sentence = with_nouns("feature", "look for it with `feature list`")
    assert sentence == "look for it with `shuxin feature list`"


def test_a_policy_that_stays_as_it_is_is_not_proposed(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["proposal", "change-policy", "p", "add_validator", "--reason", "r"]) == 1
    assert "--managers" in capsys.readouterr().err
    assert session.calls == []


def test_a_node_that_tells_no_policy_is_not_believed(session: FakeSession) -> None:
    session.answers = {}
    words = ["proposal", "change-policy", "p", "add_validator", "--managers", "2", "--reason", "r"]
    assert main(words) == 1
    assert main(["policy", "show", "add_validator"]) == 1
    assert not any(contract == "proposal" for contract, _method, _args in session.calls)


# --- what is shown, of the contracts themselves ---------------------------------------------------


def test_parameters_are_listed_with_their_bounds_and_what_is_to_come(
    council: Council, capsys: pytest.CaptureFixture[str]
) -> None:
    founded = Limits()
    found = rows(capsys, "parameter", "list")
    assert [(row["name"], row["value"]) for row in found] == [
        (name, getattr(founded, name)) for name in PARAMETERS
    ]
    proposed(council, "change-parameters", "--set", "heartbeat_ms=30000")
    height = council.chain.height + WINDOW + 1
    changed, same = (row_of(capsys, "parameter", n) for n in ("heartbeat_ms", "block_gas_max"))
    assert changed[-2:] == ["30000", str(height)] and same[-2:] == ["-", "-"]


def test_terms_are_listed_from_the_one_in_force_on(
    council: Council, capsys: pytest.CaptureFixture[str]
) -> None:
    height = council.chain.height + AHEAD
    proposed(
        council, "change-parameters", "--set", "heartbeat_ms=30000", "--not-before", str(height)
    )
    [first, second] = rows(capsys, "parameter", "terms")
    assert (first["from_height"], first["status"]) == (0, "in_force")
    assert (second["from_height"], second["status"]) == (height, "scheduled")
    figures = [[name, getattr(Limits(), name)] for name in PARAMETERS]
    assert (first["values"], second["values"]) == (
        figures,
        [*figures[:-1], ["heartbeat_ms", 30000]],
    )
    assert shown(capsys, "parameter", "terms").splitlines()[-1].strip() == "heartbeat_ms 30000"


def test_the_history_says_what_became_of_each_change(
    council: Council, capsys: pytest.CaptureFixture[str]
) -> None:
    height = council.chain.height + AHEAD
    proposed(
        council, "change-parameters", "--set", "heartbeat_ms=30000", "--not-before", str(height)
    )
    words = ["proposal", "cancel-parameters", "q", "--from-height", str(height), "--reason", "r"]
    assert main(words) == 0
    council.carry("q")
    [change] = rows(capsys, "parameter", "history")
    assert (change["proposal_id"], change["status"]) == ("p", "cancelled")
    assert "heartbeat_ms 30000" in shown(capsys, "parameter", "history")


def test_features_are_on_or_off_now_and_say_what_is_to_come(
    council: Council, capsys: pytest.CaptureFixture[str]
) -> None:
    assert row_of(capsys, "feature", "sealed_evidence")[:4] == ["sealed_evidence", "yes", "-", "0"]
    height = council.chain.height + AHEAD
    proposed(council, "switch-feature", "sealed_evidence", "--off", "--not-before", str(height))
    assert row_of(capsys, "feature", "sealed_evidence")[1:4] == ["yes", "no", str(height)]
    council.chain.advance(height=AHEAD)
    assert row_of(capsys, "feature", "sealed_evidence")[1:4] == ["no", "-", str(height)]
    one = record(capsys, "feature", "show", "sealed_evidence")
    assert (one["on"], one["proposal_id"]) == (False, "p")


def test_policies_are_listed_in_words(council: Council, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "policy", "list")
    assert [row["kind"] for row in found] == [kind for kind, _guarded in KINDS]
    assert "7 d" in shown(capsys, "policy", "show", "add_validator")
    proposed(council, "change-policy", "add_validator", "--share", "80", "--no-veto")
    line = " ".join(row_of(capsys, "policy", "add_validator"))
    assert line == "add_validator 1 80 %, at least a quorum no 7 d p"
    words = ("change-policy", "q", "switch_feature", "--share", "60%", "--managers", "0")
    assert main(["proposal", *words, "--reason", "r"]) == 0
    council.carry("q")
    line = " ".join(row_of(capsys, "policy", "switch_feature"))
    assert line == "switch_feature 0 60 % yes 7 d q"


def test_proposals_are_listed_with_what_they_are_about_and_shown_without_other_kinds_fields(
    council: Council, capsys: pytest.CaptureFixture[str]
) -> None:
    height = council.chain.height + AHEAD
    proposed(council, "switch-feature", "sealed_evidence", "--off", "--not-before", str(height))
    assert f"sealed_evidence --off --not-before {height}" in shown(capsys, "proposal", "list")
    one = shown(capsys, "proposal", "show", "p")
    assert "public_key" not in one and "successor" not in one
    assert f"sealed_evidence --off --not-before {height}" in one
    whole = record(capsys, "proposal", "show", "p")
    assert whole["public_key"] == "0x" and "about" not in whole


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("policy show retire", ["retire_root"]),
        ("proposal change-policy p add_v", ["add_validator"]),
        ("feature show sealed", ["sealed_evidence"]),
        ("proposal switch-feature p grant", ["grant_channels"]),
        ("proposal change-parameters p --set heart", ["heartbeat_ms"]),
    ],
)
def test_shells_complete_names_and_kinds(
    line: str,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed = ["shuxin", *line.split()]
    monkeypatch.setenv("_SHUXIN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(typed))
    monkeypatch.setenv("COMP_CWORD", str(len(typed) - 1))
    assert shown(capsys).split() == words


# --- what a proposal is about ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"kind": "admit_observer", "node": "node4", "party": "bank"}, "node4 bank"),
        ({"kind": "replace_validator", "node": "node1", "successor": "node4"}, "node1 node4"),
        (
            {"kind": "retire_root", "party": "bank", "root": b"\xab" * 32},
            f"bank --fingerprint {'ab' * 32}",
        ),
        ({"kind": "admit_root", "party": "bank", "root": b"\xab" * 32}, "bank"),
        (
            {"kind": "change_engine", "vm_version": "shuxin-vm/2", "from_height": 9},
            "shuxin-vm/2 --from-height 9",
        ),
        (
            {"kind": "change_parameters", "values": [["a", 1], ["b", 2]], "from_height": 0},
            "a=1 b=2",
        ),
        (
            {"kind": "change_parameters", "values": [("a", 1)], "from_height": 9},
            "a=1 --not-before 9",
        ),
        (
            {"kind": "cancel_parameters", "from_height": 9, "values": [["number", 3]]},
            "number=3 --from-height 9",
        ),
        ({"kind": "switch_feature", "subject": "f", "on": True}, "f --on"),
        ({"kind": "cancel_feature", "subject": "f", "on": False}, "f"),
        (
            {
                "kind": "change_policy",
                "subject": "add_validator",
                "values": [["managers", 2], ["share", 60], ["has_veto", 0], ["term_ms", HOUR_MS]],
            },
            "add_validator --managers 2 --share 60% --no-veto --term 1h",
        ),
        (
            {
                "kind": "change_policy",
                "subject": "add_validator",
                "values": [["managers", 0], ["share", 0], ["has_veto", 1], ["term_ms", 7 * DAY_MS]],
            },
            "add_validator --managers 0 --share quorum --veto --term 7d",
        ),
        (
            {
                "kind": "change_policy",
                "subject": "add_root",
                "values": [["managers", 1], ["term_ms", 3_600_001], "noise", [1, 2], ["x"]],
            },
            "add_root --managers 1 --share quorum --no-veto --term 3600001ms",
        ),
        ({}, ""),
    ],
)
def test_a_proposal_is_told_as_the_command_line_writes_it(row: dict[Key, Value], line: str) -> None:
    assert about(row) == line


def test_whoever_votes_reads_what_a_proposal_is_about(council: Council) -> None:
    council.do("opco", "proposal", "switch_feature", "c1", "grant_channels", False, 0, "pause")
    council.do("opco", "proposal", "change_policy", "c2", "admit_root", 1, 75, True, DAY_MS, "r")
    reader = reader_of(lambda *asked: council.ask("health", *asked), account("health"))
    assert reader is not None
    assert [item.about for item in waiting_for(reader)] == [
        "switch_feature grant_channels --off: pause",
        "change_policy admit_root --managers 1 --share 75% --veto --term 1d: r",
    ]


# --- Chinese --------------------------------------------------------------------------------------


def test_people_read_it_in_chinese(council: Council, capsys: pytest.CaptureFixture[str]) -> None:
    proposed(council, "change-policy", "add_validator", "--share", "80")
    assert "80 %，且不少于法定数" in shown(capsys, "policy", "list", "--lang", "zh")
    assert "区块的燃料" in shown(capsys, "parameter", "list", "--lang", "zh")
    assert "开启" in shown(capsys, "feature", "list", "--lang", "zh")
    assert "变更表决策略" in shown(capsys, "proposal", "list", "--lang", "zh")
    words = ["proposal", "change-policy", "q", "采信根证书", "--share", "80", "--reason", "r"]
    assert main([*words, "--lang", "zh"]) == 0
    assert "admit_root --managers 1 --share 80%" in shown(capsys, "proposal", "list")
    words = ["proposal", "change-policy", "r", "admit_root", "--share", "0", "--reason", "r"]
    assert main([*words, "--lang", "zh"]) == 2
    assert "请写 1 至 100 的百分比" in capsys.readouterr().err
    speak(Language.ENGLISH)
