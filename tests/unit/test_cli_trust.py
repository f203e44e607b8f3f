"""What a command trusts, what it says of it, and what it leaves behind in the home."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli import trust
from cli.main import main
from cli.options import Invocation
from cli.output import Fields, Table
from cli.trust import Verification
from client.light.connection import Findings
from ledger.bundle import Certified
from ledger.encoding import encode
from ledger.genesis import save_genesis
from ledger.recovery import next_recovery
from shuxin.v1 import node_pb2 as pb
from tests.lying_proxy import Middle, between
from tests.moving_chain import Moving, served

YEARS_S = 1 << 31  # the chain's blocks are of 2023
KEY = ("evidence", "records", "early")
BLOCK = Certified(
    chain_id=bytes(32),
    height=812,
    time_ms=0,
    block_hash=bytes(32),
    state_root=bytes(32),
    signers=("a", "b", "c"),
    epoch=0,
    quorum=3,
    validators=4,
)


@pytest.fixture(scope="module")
def middle(moving: Moving) -> Iterator[Middle]:
    with served(moving.chain) as target, between(target) as found:
        yield found


@pytest.fixture(autouse=True)
def honest(middle: Middle) -> None:
    middle.lies.clear()
    middle.asked.clear()


class Desk:
    """The command line in a home, at a node that may lie."""

    def __init__(self, middle: Middle, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.middle = middle
        self.home = home
        self.capsys = capsys
        self.err = ""

    def state(self, *words: str) -> dict[str, object]:
        """`state show` of a record; what it said on stderr is in `err`."""
        return self.run("state", "show", *KEY, "--max-age", str(YEARS_S), *words)

    def run(self, *words: str) -> dict[str, object]:
        home = () if "--home" in words else ("--home", str(self.home))
        code = main([*words, *home, "--node", self.middle.target, "--json"])
        out, self.err = self.capsys.readouterr()
        if code:
            refused: dict[str, object] = json.loads(self.err.splitlines()[-1])["refused"]
            return refused
        answer: dict[str, object] = json.loads(out)
        return answer


@pytest.fixture
def desk(middle: Middle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(middle, tmp_path, capsys)


# --- where trust begins ---------------------------------------------------------------------


def test_the_genesis_of_the_home_is_trusted_and_progress_is_kept(
    desk: Desk, moving: Moving
) -> None:
    save_genesis(moving.chain.genesis, desk.home / "genesis.json")
    told = desk.state()
    assert told["verified"] is True
    assert str(told["verification"]).startswith(f"block {moving.head}, certified by 4 of 5, ")
    assert desk.err == ""
    assert desk.middle.asked == ["GetState", "GetCommittees"]
    desk.middle.asked.clear()
    desk.state()
    assert desk.middle.asked == ["GetState"], "the changes of the committee are in the home"


def test_the_first_contact_pins_the_genesis_and_says_so(desk: Desk, moving: Moving) -> None:
    assert desk.state()["verified"] is True
    assert "trusting from now on" in desk.err and moving.chain.chain_id.hex() in desk.err
    desk.middle.asked.clear()
    assert desk.state()["verified"] is True
    assert desk.err == "" and desk.middle.asked == ["GetState"]
    other = replace(moving.chain.genesis, name="another")
    desk.middle.lies["GetGenesis"] = lambda _: pb.GenesisReply(genesis=encode(other))
    assert desk.run("block", "show", "0")["code"] == "other_genesis"


def test_keys_of_arguments_options_and_a_file_are_proved_in_one_bundle(
    desk: Desk, moving: Moving
) -> None:
    save_genesis(moving.chain.genesis, desk.home / "genesis.json")
    listed, bundle = desk.home / "keys.txt", desk.home / "keys.bundle"
    listed.write_text('# what matters\nevidence records "never more"\n\ncode evidence\n')
    words = ("state", "prove", *KEY, "--also", "code parties", "--list", str(listed))
    told = desk.run(*words, "--output", str(bundle), "--max-age", str(YEARS_S))
    rows = told["keys"]
    assert isinstance(rows, list)
    assert [row["present"] for row in rows] == [True, True, False, True]
    assert [row["key"] for row in rows][2:] == [["never more"], "evidence"]
    assert desk.middle.asked.count("GetStates") == 1 and "GetState" not in desk.middle.asked
    checked = desk.run("audit", "check", str(bundle), "--genesis", str(desk.home / "genesis.json"))
    assert checked["keys"] == rows
    misuse = ("--home", str(desk.home), "--node", desk.middle.target)
    for key, why in (("code", "a key is wanted"), ("code 'parties", "is wanted, quoted")):
        assert main([*words[:5], "--also", key, *misuse]) == 2
        assert why in desk.capsys.readouterr().err
    listed.write_bytes(b"\xff")
    assert main([*words, *misuse]) == 2


def test_without_a_home_nothing_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk.home)
    monkeypatch.delenv("SHUXIN_HOME", raising=False)
    assert main(["block", "show", "3", "--node", desk.middle.target]) == 0
    out, err = desk.capsys.readouterr()
    assert "verified:" in out
    assert "for this command only" in err
    assert list(desk.home.iterdir()) == []


def test_a_genesis_that_is_named_wins(desk: Desk, moving: Moving, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    save_genesis(replace(moving.chain.genesis, name="another"), other)
    assert desk.state("--genesis", str(other))["code"] == "other_chain"
    (desk.home / "client.toml").write_text('genesis = "other.json"')
    assert desk.state()["code"] == "other_chain"


def test_a_home_that_pinned_two_chains_asks_which(desk: Desk) -> None:
    folder = desk.home / trust.TRUST_FOLDER
    folder.mkdir()
    for name in ("a.light", "b.light"):
        (folder / name).write_bytes(b"")
    refused = desk.state()
    assert refused["code"] == "genesis.missing" and "--genesis" in str(refused["detail"])


def test_a_damaged_file_is_not_passed_over(desk: Desk) -> None:
    desk.state()
    path = next((desk.home / trust.TRUST_FOLDER).glob("*.light"))
    path.write_bytes(path.read_bytes()[:-1])
    refused = desk.state()
    assert refused["code"] == "trust_damaged" and str(path) in str(refused["detail"])


def test_a_home_that_takes_no_files_still_verifies(
    desk: Desk, moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_genesis(moving.chain.genesis, desk.home / "genesis.json")
    (desk.home / trust.TRUST_FOLDER).write_text("not a folder")
    assert desk.state()["verified"] is True
    assert "cannot be kept" in desk.err


def test_a_fork_is_kept_and_stops_every_later_command(desk: Desk, moving: Moving) -> None:
    desk.state()
    fork = moving.chain.forked(desk.home / "forked")
    # Another last block: a quorum of the third committee signs what contradicts the first.
    real = moving.chain.store.execution_certificate(moving.head)
    assert real is not None
    statement = replace(real.statement, receipts_root=b"\5" * 32)
    forged = fork.certified(statement, fork.committee(moving.head))
    fork.store.close()

    def lie(message: object) -> pb.StateReply:
        assert isinstance(message, pb.StateReply)
        message.certificate = encode(forged)
        return message

    desk.middle.lies["GetState"] = lie
    refused = desk.state()
    assert refused["code"] == "fork_seen"
    evidence = next((desk.home / trust.TRUST_FOLDER).glob("*.fork-*.bin"))
    assert str(evidence) in str(refused["detail"])
    desk.middle.lies.clear()
    assert desk.state()["code"] == "fork_kept"
    assert desk.state("--no-verify")["verified"] is False


def test_the_plans_of_a_home_are_followed(desk: Desk, moving: Moving) -> None:
    """A plan at the head leaves all that there is; one below voids what is above."""
    save_genesis(moving.chain.genesis, desk.home / "genesis.json")
    (desk.home / "client.toml").write_text('plans = "plan"')
    assert desk.state()["code"] == "file"
    for height, code in ((moving.head, None), (moving.head - 1, "other_chain")):
        certificate = moving.chain.store.execution_certificate(height)
        assert certificate is not None
        plan = next_recovery((), certificate, moving.chain.chain_id, "two histories", 1)
        (desk.home / "plan").write_bytes(encode(plan))
        told = desk.state()
        assert told.get("code") == code
    other = replace(plan, plan=replace(plan.plan, chain_id=bytes(32)))
    (desk.home / "plan").write_bytes(encode(other))
    assert desk.state()["code"] == "recovery_invalid"


# --- what is said ---------------------------------------------------------------------------


def test_what_was_not_verified_says_so(desk: Desk) -> None:
    told = desk.state("--no-verify")
    assert (told["verified"], desk.middle.target in str(told["verification"])) == (False, True)
    assert desk.err == "" and not (desk.home / trust.TRUST_FOLDER).exists()


def test_an_old_chain_is_refused_unless_it_is_allowed(desk: Desk) -> None:
    refused = desk.run("state", "show", *KEY)
    assert refused["code"] == "stale_certificate" and "--max-age" in str(refused["detail"])


def verification(findings: Findings) -> Verification:
    return Verification(findings)


def test_a_view_is_the_nodes_word() -> None:
    findings = Findings(proved=[BLOCK], said={b"view": "the word of NODE"})
    assert verification(findings).sentence() == (False, "the word of NODE")


def test_answers_tell_it_in_a_field_or_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    checked = verification(Findings(proved=[BLOCK, replace_height(BLOCK, 811)]))
    for as_json, names in ((True, {"verified", "verification"}), (False, {"verified"})):
        answer = checked.told_with(Fields({"id": "x"}), as_json=as_json)
        assert isinstance(answer, Fields)
        assert answer.values.keys() == {"id"} | names
    table = Table(("a",), [])
    assert checked.told_with(table, as_json=True) is table
    assert "verified: 2 blocks up to 812, certified by 3 of 4" in capsys.readouterr().err
    assert Verification().told_with(table, as_json=True) is table
    assert capsys.readouterr().err == ""


def replace_height(block: Certified, height: int) -> Certified:
    return Certified(**{**{f: getattr(block, f) for f in block.__slots__}, "height": height})


def test_ages_are_told_in_fitting_units() -> None:
    told = [trust.age_text(seconds) for seconds in (0.42, 119, 120, 7200, 200_000)]
    assert told == ["0.4 s", "119.0 s", "2 min", "2 h", "2 days"]


def test_a_home_is_what_was_named_or_looks_like_one(tmp_path: Path) -> None:
    plain = Invocation(json=False, home=tmp_path, node="", key="", passphrase_file=None)
    (tmp_path / "genesis.json").write_text("{}")
    assert plain.genesis_path is None, "not of a folder that is no home"
