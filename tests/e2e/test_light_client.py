"""Commands that verify at a real network: honest, behind a liar, with a changed committee."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from google.protobuf.message import Message

from cli.main import main
from client.light.vault import chains_in, load_any
from tests.e2e.harness import LocalNetwork
from tests.lying_proxy import Middle, between, lies_about

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

DIGEST = "ab" * 32
REFUSALS_OF_OURS = {  # by which a lie may be met; a crash or a usage error is none of them
    *("answer.unreadable", "answer.inconsistent", "answer.oversized", "answer_contradicts"),
    *("not_found", "receipt.pending", "state.height", "record.contradiction"),
    *("other_answer", "other_block", "other_chain", "other_committee", "other_genesis"),
    *("other_receipt", "other_state", "other_transaction", "proof_missing", "quorum_missing"),
    *("signers_invalid", "validator_signature_invalid", "sender_signature_invalid"),
    *("transaction_malformed", "certificate_invalid", "event_forged", "went_back", "decode_error"),
    *("committee_change_missing", "change_withheld", "fork_seen"),
}


@dataclass
class Client:
    """A home with a key, the network's genesis, and one node to ask."""

    home: Path
    node: str
    err: str = field(default="")

    def run(self, *words: str) -> tuple[int, object]:
        """Exit code, and the JSON that was answered, or the refusal."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*words, "--home", str(self.home), "--node", self.node, "--json"])
        self.err = err.getvalue()
        text = out.getvalue()
        if code and not text:
            assert code == 1, self.err
            return code, json.loads(self.err.splitlines()[-1])["refused"]
        return code, json.loads(text) if text[:1] in "[{" and text.count("\n") > 1 else text

    def ask(self, *words: str, code: int = 0) -> dict[str, object]:
        found, answer = self.run(*words)
        assert found == code and isinstance(answer, dict), answer
        return answer

    def refused(self, *words: str) -> str:
        code, answer = self.run(*words)
        assert code == 1 and isinstance(answer, dict), answer
        return str(answer["code"])

    def forget(self) -> None:
        shutil.rmtree(self.home / "trust", ignore_errors=True)


def client_of(network: LocalNetwork, folder: Path, node: str, party: str = "operator") -> Client:
    home = folder / f"home-{secrets.token_hex(3)}"
    shutil.copytree(network.root / "parties" / party, home, ignore=lambda *_: {"trust"})
    shutil.copy(network.root / "genesis.json", home)
    (home / "client.toml").write_text(f'key = "{party}"\npassphrase_file = "keys/passphrase"\n')
    return Client(home, node)


@pytest.fixture(scope="module")
def recorded(network: LocalNetwork, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An id of evidence and of the transaction that recorded it."""
    desk = client_of(network, tmp_path_factory.mktemp("desk"), network.plan.nodes[0].api)
    name = f"light-{secrets.token_hex(4)}"
    words = ("--kind", "development.result", "--subject", "model-7", "--digest", DIGEST)
    done = desk.ask("evidence", "record", name, *words)
    assert done["verified"] is True, "the receipt came with its proof"
    return {"evidence": name, "tx": str(done["transaction"]), "height": str(done["height"])}


@pytest.fixture
def desk(network: LocalNetwork, tmp_path: Path) -> Client:
    return client_of(network, tmp_path, network.plan.nodes[0].api)


def questions(recorded: dict[str, str]) -> dict[str, tuple[str, ...]]:
    name = recorded["evidence"]
    return {
        "transaction": ("tx", "show", recorded["tx"]),
        "block": ("block", "show", recorded["height"]),
        "newest": ("block", "show"),
        "evidence": ("evidence", "show", name),
        "party": ("party", "show", "operator"),
        "state": ("state", "show", "evidence", "records", name),
        "code": ("state", "show", "code", "grant"),
    }


def test_what_commands_answer_is_verified_by_default(
    desk: Client, recorded: dict[str, str]
) -> None:
    for words in questions(recorded).values():
        told = desk.ask(*words)
        assert told["verified"] is True, (words, told)
        assert "certified by" in str(told["verification"])
        believed = desk.ask(*words, "--no-verify")
        assert believed["verified"] is False
    absent = desk.ask("state", "show", "evidence", "records", "never", code=1)
    assert (absent["present"], absent["verified"]) == (False, True)
    desk.run("contract", "source", "grant")
    assert "\nverified: " in "\n" + desk.err
    desk.run("event", "follow", "--from-height", recorded["height"], "--count", "1")
    assert "verified: " in desk.err
    desk.run("block", "list", "--last", "3")
    assert "verified: " in desk.err


def test_what_has_no_proof_says_so(desk: Client) -> None:
    told = desk.ask("contract", "show", "grant")
    assert told["verified"] is False and "views have no proof" in str(told["verification"])
    desk.run("party", "list")
    assert "not verified: the value of parties.list" in desk.err


def test_the_state_is_proved_offline_also_at_an_earlier_height(
    desk: Client, network: LocalNetwork, recorded: dict[str, str], tmp_path: Path
) -> None:
    for key, file in ((recorded["evidence"], "present"), ("never", "absent")):
        path = str(tmp_path / file)
        desk.ask("state", "prove", "evidence", "records", key, "--output", path)
        told = desk.ask("audit", "check", path, "--genesis", str(desk.home / "genesis.json"))
        assert told["proven"] is True
        assert (told.get("record") is not None) == (file == "present")
        assert f"evidence.records['{key}']" in str(told["verdict"]) or "record" in told
    height = int(recorded["height"])
    words = ("state", "show", "evidence", "records", recorded["evidence"], "--height")
    newest = int(str(desk.ask("block", "show")["height"]))
    if newest - height < 7:  # of the 8 heights that are kept
        assert desk.ask(*words, str(height))["height"] == height
    assert desk.refused(*words, str(newest + 500)) == "state.height"


# --- a liar between -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def middle(network: LocalNetwork) -> Iterator[Middle]:
    with between(network.plan.nodes[0].api) as found:
        yield found


@pytest.mark.parametrize(
    ("question", "method"),
    [
        ("transaction", "GetTransaction"),
        ("block", "GetBlock"),
        ("evidence", "GetState"),
        ("evidence", "View"),
        ("state", "GetState"),
    ],
)
def test_a_liar_between_is_always_refused(
    network: LocalNetwork,
    recorded: dict[str, str],
    middle: Middle,
    tmp_path: Path,
    question: str,
    method: str,
) -> None:
    middle.lies.clear()
    words = questions(recorded)[question]
    desk = client_of(network, tmp_path, middle.target)
    desk.ask(*words)
    believed: list[str] = []
    for what, lie in lies_about(middle.seen[method]):
        middle.lies[method] = lambda true, lie=lie: lie  # type: ignore[misc]
        code, answer = desk.run(*words)
        assert isinstance(answer, dict)
        if code == 0 and not _is_harmless(method, what):
            believed.append(what)
        elif code and answer["code"] not in REFUSALS_OF_OURS:
            believed.append(f"{what}: {answer}")
    middle.lies.clear()
    assert believed == []


def _is_harmless(method: str, what: str) -> bool:
    """The height and gas of a view are told to nobody."""
    return method == "View" and what.split()[0] in ("height", "gas_used")


def test_a_receipt_is_refused_when_it_is_altered_on_the_way(
    network: LocalNetwork, middle: Middle, tmp_path: Path
) -> None:
    desk = client_of(network, tmp_path, middle.target)

    def lie(message: Message) -> Message:
        receipt = bytes(getattr(message, "receipt"))  # noqa: B009  # of any reply
        setattr(message, "receipt", receipt.replace(b"model-7", b"model-8"))  # noqa: B010
        return message

    middle.lies["WaitReceipt"] = lie
    words = ("--kind", "development.result", "--subject", "model-7", "--digest", DIGEST)
    code = desk.refused("evidence", "record", f"light-{secrets.token_hex(4)}", *words)
    middle.lies.clear()
    assert code == "other_receipt"


def test_an_old_answer_is_refused_by_who_has_seen_a_newer_one_and_by_the_clock(
    network: LocalNetwork, recorded: dict[str, str], middle: Middle, tmp_path: Path
) -> None:
    middle.lies.clear()
    desk = client_of(network, tmp_path, middle.target)
    words = questions(recorded)["state"]
    desk.ask(*words)
    old = middle.seen["GetState"]
    more = ("--kind", "development.result", "--subject", "model-7", "--digest", DIGEST)
    desk.ask("evidence", "record", f"light-{secrets.token_hex(4)}", *more)
    middle.lies["GetState"] = lambda true: old
    # What a command saw is stored when it is 10 s newer than what is: so begin anew, seeing it.
    desk.forget()
    desk.ask("block", "show")
    assert desk.refused(*words) == "went_back"
    desk.forget()
    assert desk.refused(*words, "--max-age", "1") == "stale_certificate"
    middle.lies.clear()


# --- the committee changes ------------------------------------------------------------------


@pytest.mark.long
def test_a_client_that_was_away_follows_the_committees(tmp_path: Path) -> None:
    network = LocalNetwork(tmp_path / "net", nodes=5)
    try:
        network.up()
        desk = client_of(network, tmp_path, network.plan.nodes[0].api)
        words = ("--kind", "development.result", "--subject", "model-7", "--digest", DIGEST)
        early = desk.ask("evidence", "record", "early", *words)
        away = client_of(network, tmp_path, network.plan.nodes[1].api)
        assert away.ask("tx", "show", str(early["transaction"]))["verified"] is True
        _remove(network, tmp_path, network.plan.nodes[4].name)
        late = desk.ask("evidence", "record", "late", *words)
        told = away.ask("tx", "show", str(late["transaction"]))
        assert "of 4" in str(told["verification"])
        assert "of 5" in str(away.ask("tx", "show", str(early["transaction"]))["verification"])
        known = load_any(chains_in(away.home / "trust")[0])
        assert [change.validators.size for change in known.changes] == [4]
        with between(network.plan.nodes[0].api) as middle:
            fresh = client_of(network, tmp_path, middle.target)

            def withhold(message: Message) -> Message:
                message.ClearField("committees")
                return message

            middle.lies["GetCommittees"] = withhold
            refused = fresh.refused("tx", "show", str(late["transaction"]))
            assert refused in ("signers_invalid", "quorum_missing", "change_withheld")
    finally:
        network.down()


def _remove(network: LocalNetwork, folder: Path, name: str) -> None:
    """As its organizations decide; returns when the smaller committee orders."""
    parties: Sequence[str] = [node.party for node in network.plan.nodes]
    manager = network.session("manager")
    with manager.node:
        manager.call("proposal", "propose", "p-1", "remove_validator", name, "", "why not")
    for party in dict.fromkeys(["manager", *parties]):
        session = network.session(party)
        with session.node, contextlib.suppress(Exception):  # decided before all have voted
            session.call("proposal", "approve", "p-1")

    def is_smaller() -> bool:
        status = network.status(0)
        return status is not None and status.validators == len(parties) - 1

    network.wait(is_smaller, timeout_s=120, what="the committee got smaller")
