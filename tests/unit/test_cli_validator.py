"""`shuxin proposal` and `shuxin validator`: kinds of proposals, the committee, accusations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from cli.main import main
from consensus.pbft.messages import Checkpoint, Commit, Prepare, SignedMessage, encode_message
from consensus.pbft.types import Accuse
from contracts.vm.version import VM_VERSION
from crypto import sm2
from ledger.certificates import VoteKind
from ledger.encoding import encode
from ledger.model import ExecutionStatement
from ledger.values import Key, Value
from node.accusations import Accusations
from tests.business import digest, node_private, node_public
from tests.council import CHAIN_ID, FOUNDERS, Council, signed, statement, vote
from tests.fake_session import FakeSession, opened

LIAR = FOUNDERS[1]
Message = Prepare | Commit | Checkpoint


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> FakeSession:
    fake = opened(monkeypatch)
    members: Value = [member(name) for name in FOUNDERS]
    fake.answers = {
        "governance.committee": committee(members, members, 1),
        "governance.organizations": ["bureau", "opco"],
        "governance.nodes": [member(name) | {"status": "validator"} for name in FOUNDERS],
    }
    return fake


def member(name: str) -> dict[Key, Value]:
    return {"name": name, "party": "p", "public_key": node_public(name), "peer_id": "12D3"}


def committee(members: Value, serving: Value, first_height: int) -> dict[Key, Value]:
    return {
        "first_height": first_height,
        "members": members,
        "serving": serving,
        "quorum": 3,
        "window": 32,
    }


# --- proposals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb", ["dismiss-observer", "add-validator", "remove-validator", "expel-validator"]
)
def test_each_kind_of_proposal_is_a_verb(verb: str, session: FakeSession) -> None:
    assert main(["proposal", verb, "p", "--name", "n", "--reason", "r"]) == 0
    kind = verb.replace("-", "_")
    assert session.calls == [("proposal", "propose", ("p", kind, "n", "", "r"))]


def test_a_replacement_names_who_enters(session: FakeSession) -> None:
    words = ["proposal", "replace-validator", "p", "--name", "n", "--reason", "r"]
    assert main(words) == 2
    assert main([*words, "--successor", "m"]) == 0
    assert session.calls == [("proposal", "propose", ("p", "replace_validator", "n", "m", "r"))]


def test_an_engine_that_this_release_lacks_is_proposed_on_purpose_only(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    slip = VM_VERSION[:-1] + "x"
    words = ["proposal", "change-engine", "p", "--from-height", "99", "--reason", "r"]
    assert main([*words, "--vm-version", slip]) != 0
    assert session.calls == [] and "does not have" in capsys.readouterr().err
    assert main([*words, "--vm-version", slip, "--unknown"]) == 0
    assert main([*words, "--vm-version", VM_VERSION]) == 0
    assert session.calls == [
        ("proposal", "change_engine", ("p", name, 99, "r")) for name in (slip, VM_VERSION)
    ]


@pytest.mark.parametrize("height", ["0", "-1", "soon"])
def test_a_change_of_the_engine_has_a_height(height: str, session: FakeSession) -> None:
    for verb in (["change-engine", "p", "--vm-version", VM_VERSION], ["cancel-engine", "p"]):
        assert main(["proposal", *verb, "--reason", "r"]) == 2
        assert main(["proposal", *verb, "--reason", "r", "--from-height", height]) == 2
    assert session.calls == []


def test_a_scheduled_engine_is_cancelled_by_its_height(session: FakeSession) -> None:
    assert main(["proposal", "cancel-engine", "p", "--from-height", "99", "--reason", "r"]) == 0
    assert session.calls == [("proposal", "cancel_engine", ("p", 99, "r"))]


@pytest.mark.parametrize("key", ["", "12", "zz" * 64, "00" * 63, "00" * 65])
def test_a_key_of_another_size_is_a_misuse(key: str, session: FakeSession) -> None:
    words = ["--name", "n", "--party", "p", "--peer-id", "12D3", "--reason", "r"]
    assert main(["proposal", "admit-observer", "p", *words, "--public-key", key]) == 2
    assert session.calls == []


# --- the committee --------------------------------------------------------------------------------


def test_the_list_says_who_orders_now_who_will_and_who_will_no_more(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    serving: Value = [member(name) for name in ("a", "b", "c", "d")]
    members: Value = [member(name) for name in ("a", "b", "c", "e")]
    known: Value = [member(name) | {"status": "any", "address": ""} for name in ("a", "b", "e")]
    watcher: Value = [member("w") | {"status": "observer", "address": "/ip4/10.0.0.1/tcp/1"}]
    assert isinstance(known, list) and isinstance(watcher, list)
    session.answers |= {
        "governance.committee": committee(members, serving, 77),
        "governance.nodes": [*known, *watcher],
    }
    assert main(["validator", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["seat"], row["orders"], row["status"]) for row in rows] == [
        ("a", 0, "now", "any"),
        ("b", 1, "now", "any"),
        ("e", 3, "from 77", "any"),
        ("w", None, "never", "observer"),
        ("c", 2, "now", "dismissed"),
        ("d", None, "until 77", "dismissed"),
    ]
    assert main(["validator", "list"]) == 0
    assert "from height 77" in capsys.readouterr().out


def test_the_committee_is_shown_with_the_height_it_begins_at(
    session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validator", "committee", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "first_height": 1,
        "members": list(FOUNDERS),
        "serving": list(FOUNDERS),
        "quorum": 3,
        "window": 32,
        "organizations": ["bureau", "opco"],
    }


def test_the_commands_read_what_the_contract_really_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    council = Council()
    council.admitted("node-bank")
    council.decided("replace_validator", LIAR, "node-bank")
    pair = signed(LIAR, vote(), vote(proposal="b"))
    council.do("bank", "accusation", "accuse", node_public(LIAR), *pair)
    fake = opened(monkeypatch)
    monkeypatch.setattr(
        fake, "view", lambda contract, method, *args: council.ask("bank", contract, method, *args)
    )
    assert main(["validator", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    first_height = council.committee()["first_height"]
    assert isinstance(first_height, int)
    assert rows["node-bank"]["orders"] == f"from {first_height}"
    assert rows[LIAR]["orders"] == f"until {first_height}"
    assert main(["validator", "committee", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["first_height"] == first_height
    assert main(["validator", "accusations"]) == 0
    assert LIAR in capsys.readouterr().out
    assert main(["proposal", "list"]) == 0
    assert "replace_validator" in capsys.readouterr().out


# --- accusations ----------------------------------------------------------------------------------


def kept(folder: Path, first: Message, second: Message, signed_bytes: tuple[bytes, bytes]) -> Path:
    """The file that a node writes about two messages of the liar."""
    private = node_private(LIAR)
    halves = [
        SignedMessage(1, encode_message(message), sm2.sign(private, data))
        for message, data in zip((first, second), signed_bytes, strict=True)
    ]

    async def keep() -> None:
        Accusations(folder).keep(Accuse(*halves))

    trio.run(keep)
    (path,) = folder.glob("equivocation-*.bin")
    return path


def checkpoint(root: str) -> Checkpoint:
    roots = (digest("block"), digest(root), digest("receipts"), digest("validators"))
    return Checkpoint(ExecutionStatement(CHAIN_ID, 300, *roots, 5))


PAIRS: dict[str, tuple[Message, Message, tuple[bytes, bytes]]] = {
    "prepares": (
        Prepare(3, 300, digest("a")),
        Prepare(3, 300, digest("b")),
        (vote(proposal="a"), vote(proposal="b")),
    ),
    "commits": (
        Commit(3, 300, digest("a")),
        Commit(3, 300, digest("b")),
        (vote(VoteKind.COMMIT, proposal="a"), vote(VoteKind.COMMIT, proposal="b")),
    ),
    "checkpoints": (
        checkpoint("a"),
        checkpoint("b"),
        (statement(root="a"), statement(root="b")),
    ),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_a_file_that_a_node_kept_convinces_the_contract(
    kind: str, tmp_path: Path, session: FakeSession
) -> None:
    path = kept(tmp_path, *PAIRS[kind])
    assert main(["validator", "accuse", "--file", str(path)]) == 0
    ((contract, method, args),) = [call for call in session.calls if call[1] == "accuse"]
    assert args[0] == node_public(LIAR)
    council = Council()
    council.do("bank", contract, method, *args)


def test_the_accused_is_searched_among_those_that_leave_and_observe_too(
    tmp_path: Path, session: FakeSession
) -> None:
    path = kept(tmp_path, *PAIRS["prepares"])
    others: Value = [member("a"), member("b")]
    liar: Value = [member(LIAR)]
    for serving, nodes in ((liar, others), (others, liar)):
        session.answers |= {
            "governance.committee": committee(others, serving, 9),
            "governance.nodes": nodes,
        }
        assert main(["validator", "accuse", "--file", str(path)]) == 0
        assert session.calls[-1][2][0] == node_public(LIAR)


def test_one_that_was_cut_off_is_named_by_its_key(
    tmp_path: Path, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    path = kept(tmp_path, *PAIRS["prepares"])
    others: Value = [member("a"), member("b")]
    session.answers |= {
        "governance.committee": committee(others, others, 9),
        "governance.nodes": others,
    }
    assert main(["validator", "accuse", "--file", str(path)]) == 1
    assert "--public-key" in capsys.readouterr().err
    key = node_public(LIAR).hex()
    assert main(["validator", "accuse", "--file", str(path), "--public-key", key]) == 0
    assert session.calls[-1][2][0] == node_public(LIAR)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x90",
        b"\xc1" * 40,
        encode(("halt", (b"one", b"two"))),
        encode((SignedMessage(1, b"", bytes(64)), SignedMessage(1, b"", bytes(64)))),
        bytes((1 << 20) + 1),
    ],
    ids=["empty", "no_pair", "noise", "a_halt_file", "no_messages", "too_long"],
)
def test_a_file_of_something_else_is_refused_and_says_which_to_name(
    data: bytes, tmp_path: Path, session: FakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "equivocation-1-00.bin"
    path.write_bytes(data)
    assert main(["validator", "accuse", "--file", str(path)]) == 1
    assert "equivocation-*.bin" in capsys.readouterr().err
    assert session.calls == []
