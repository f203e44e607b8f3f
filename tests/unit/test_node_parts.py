"""The small parts of a node: announcer, committee, keys, bootstrap, complaints, accusations."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from consensus.pbft.messages import SignedMessage
from consensus.pbft.types import Accuse
from contracts.vm.engines import EngineUnknown
from contracts.vm.version import VM_VERSION
from crypto import sm2
from crypto.errors import KeyFileInvalid
from crypto.keys import save_key
from ledger.committee import Epoch
from ledger.encoding import decode
from ledger.errors import LedgerDamaged, LedgerInUse
from ledger.genesis import Genesis, Limits
from ledger.model import ValidatorSet
from node.accusations import PER_VALIDATOR_MAX, Accusations
from node.announce import Announcer
from node.bootstrap import LEDGER, GenesisUnfit, WrongChain, check_genesis, open_or_create
from node.committee import Committee, NotAMember
from node.complaints import INTERVAL_S, Complaints
from node.keys import (
    load_network_key,
    save_network_key,
    write_private,
)
from tests.ledger_world import committee, make_genesis
from tests.node_world import Nodes, OpenEngine

SEED = bytes(range(32))


# --- announcer ------------------------------------------------------------------------------


def test_waiters_wake_when_the_height_passes_theirs() -> None:
    announcer, woken = Announcer(5), []
    threads = [
        threading.Thread(target=lambda h=h: woken.append((h, announcer.wait_above(h, 20))))
        for h in (5, 6)
    ]
    for thread in threads:
        thread.start()
    announcer.announce(6)
    threads[0].join(10)
    assert woken == [(5, True)]
    announcer.announce(7)
    threads[1].join(10)
    assert woken == [(5, True), (6, True)]


def test_the_height_never_goes_back_and_time_ends_a_wait() -> None:
    announcer = Announcer(5)
    announcer.announce(3)
    assert announcer.certified_height == 5
    assert announcer.wait_above(4, 0.0)
    assert not announcer.wait_above(5, 0.01)


def test_closing_wakes_everybody_at_once() -> None:
    announcer = Announcer(5)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(announcer.wait_above(9, 60)))
    began = time.monotonic()
    thread.start()
    announcer.close()
    thread.join(10)
    assert answers == [False]
    assert time.monotonic() - began < 10
    assert announcer.closed
    assert not announcer.wait_above(9, 60), "nobody waits any more"


# --- committee ------------------------------------------------------------------------------


def test_a_member_finds_itself_by_name_and_key() -> None:
    validators = committee()
    key = validators.validators[2].public_key
    found = Committee(Epoch(0, validators, bytes(32)), public_key=key, name="v2")
    assert found.index == 2
    assert found.peer_id(2) == "peer2"
    assert found.others == (0, 1, 3)
    assert [found.office.index_of(f"peer{i}") for i in (0, 3, 9)] == [0, 3, None]


def test_who_is_in_no_committee_observes_until_an_epoch_lists_it() -> None:
    validators = committee()
    fewer = ValidatorSet(validators.validators[:3])
    key = validators.validators[3].public_key
    found = Committee(Epoch(0, fewer, bytes(32)), public_key=key, name="v3")
    assert found.index is None
    assert found.others == (0, 1, 2)
    office = found.enter(Epoch(40, validators, bytes(32)))
    assert (office.index, office.base) == (3, 40)
    assert found.office_in(Epoch(0, fewer, bytes(32))).index is None


def test_another_key_or_name_is_refused_with_what_to_check() -> None:
    validators = committee()
    with pytest.raises(NotAMember, match="consensus_key"):
        Committee(Epoch(0, validators, bytes(32)), public_key=bytes(64), name="v2")
    with pytest.raises(NotAMember, match=r"node\.name"):
        key = validators.validators[1].public_key
        Committee(Epoch(0, validators, bytes(32)), public_key=key, name="stranger")


# --- keys -----------------------------------------------------------------------------------


def test_the_network_key_comes_back_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "network.pem"
    save_network_key(path, SEED, b"open sesame")
    assert load_network_key(path, b"open sesame") == SEED
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SEED not in path.read_bytes()


def test_a_wrong_passphrase_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "network.pem"
    save_network_key(path, SEED, b"open sesame")
    with pytest.raises(KeyFileInvalid, match="passphrase"):
        load_network_key(path, b"open barley")


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAA\n"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "network.pem"
    write_private(path, content)
    with pytest.raises(KeyFileInvalid):
        load_network_key(path, b"open sesame")


def test_an_sm2_key_is_no_network_key(tmp_path: Path) -> None:
    path = tmp_path / "consensus.pem"
    save_key(path, sm2.generate(), b"open sesame")
    with pytest.raises(KeyFileInvalid, match="Ed25519"):
        load_network_key(path, b"open sesame")


def test_no_key_is_ever_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "network.pem"
    save_network_key(path, SEED, b"open sesame")
    with pytest.raises(FileExistsError):
        save_network_key(path, bytes(32), b"open sesame")
    assert load_network_key(path, b"open sesame") == SEED


def test_half_a_key_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "network.pem"
    with monkeypatch.context() as patch:
        patch.setattr("node.keys.os.fsync", fail)
        with pytest.raises(OSError, match="No space"):
            write_private(path, b"key")
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    save_network_key(path, SEED, b"open sesame")
    path.chmod(mode)
    with pytest.raises(KeyFileInvalid, match="chmod 600"):
        load_network_key(path, b"open sesame")


# --- bootstrap ------------------------------------------------------------------------------


def test_the_first_start_makes_the_ledger_and_later_ones_open_it(tmp_path: Path) -> None:
    genesis = Nodes(tmp_path / "files", size=1).genesis
    first = open_or_create(tmp_path / "data", genesis, OpenEngine())
    root = first.head_statement().state_root
    first.close()
    again = open_or_create(tmp_path / "data", genesis, OpenEngine())
    assert again.head_statement().state_root == root
    with pytest.raises(LedgerInUse):
        open_or_create(tmp_path / "data", genesis, OpenEngine())
    again.close()


def test_a_folder_of_another_chain_is_refused_and_left_closed(tmp_path: Path) -> None:
    genesis = Nodes(tmp_path / "files", size=1).genesis
    open_or_create(tmp_path, genesis, OpenEngine()).close()
    other = msgspec.structs.replace(genesis, name="other")
    for _ in range(2):
        with pytest.raises(WrongChain, match="data_dir"):
            open_or_create(tmp_path, other, OpenEngine())
    open_or_create(tmp_path, genesis, OpenEngine()).close()


def test_half_a_ledger_is_damage_not_a_reason_to_start_anew(tmp_path: Path) -> None:
    genesis = Nodes(tmp_path / "files", size=1).genesis
    open_or_create(tmp_path, genesis, OpenEngine()).close()
    for path in (tmp_path / LEDGER / "db").iterdir():
        os.remove(path)
    with pytest.raises(LedgerDamaged):
        open_or_create(tmp_path, genesis, OpenEngine())


def fit_genesis(limits: Limits | None = None) -> Genesis:
    """A genesis that this release runs."""
    genesis = make_genesis() if limits is None else make_genesis(limits)
    return msgspec.structs.replace(genesis, vm_version=VM_VERSION)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(watermark_window=65),
        Limits(block_transactions_max=5000),
        Limits(block_size_max=9 << 20),
        Limits(transaction_size_max=600 << 10),
        Limits(block_size_max=100 << 10),
        Limits(transaction_gas_max=600_000_000),
    ],
)
def test_limits_by_which_no_network_can_work_are_refused(limits: Limits) -> None:
    with pytest.raises(GenesisUnfit, match="more than"):
        check_genesis(fit_genesis(limits))


@pytest.mark.parametrize("limits", [Limits(time_skew_ms_max=3_999), Limits(heartbeat_ms=999)])
def test_limits_that_honest_clocks_or_disks_cannot_bear_are_refused(limits: Limits) -> None:
    with pytest.raises(GenesisUnfit, match="less than"):
        check_genesis(fit_genesis(limits))


def test_a_chain_of_another_contract_engine_is_refused() -> None:
    genesis = msgspec.structs.replace(fit_genesis(), vm_version="shuxin-vm/0")
    with pytest.raises(EngineUnknown, match="shuxin-vm/0"):
        check_genesis(genesis)


def test_a_committee_beyond_the_protocol_is_refused() -> None:
    genesis = msgspec.structs.replace(
        fit_genesis(), validators=ValidatorSet(committee(65).validators)
    )
    with pytest.raises(GenesisUnfit, match="validators"):
        check_genesis(genesis)
    check_genesis(fit_genesis())


# --- complaints -----------------------------------------------------------------------------


def test_a_flood_of_faults_costs_a_line_now_and_then() -> None:
    now = [0.0]
    complaints = Complaints("test", now=lambda: now[0])
    with capture_logs() as logs:
        for _ in range(1000):
            complaints.complain("undecodable", peer="a", reason="garbage")
        complaints.complain("undecodable", peer="b", reason="garbage")
        complaints.complain("vote_refused", peer="a", reason="forged")
        now[0] += INTERVAL_S
        complaints.complain("undecodable", peer="a", reason="garbage again")
    assert [(line["event"], line["peer"], line["untold"]) for line in logs] == [
        ("undecodable", "a", 0),
        ("undecodable", "b", 0),
        ("vote_refused", "a", 0),
        ("undecodable", "a", 999),
    ]


# --- accusations ----------------------------------------------------------------------------


def accusation(sender: int, number: int = 0, *, signature: bytes = bytes(64)) -> Accuse:
    first = SignedMessage(sender, b"one %d" % number, signature)
    return Accuse(first, SignedMessage(sender, b"two %d" % number, signature))


def test_both_messages_of_a_contradiction_are_kept_once(tmp_path: Path) -> None:
    kept = Accusations(tmp_path / "accusations")
    with capture_logs() as logs:
        for signature in (bytes(64), bytes(64), b"\x01" * 64):  # signing anew proves nothing new
            kept.keep(accusation(2, signature=signature))
        kept.keep(accusation(3))
    files = sorted((tmp_path / "accusations").iterdir())
    assert [path.name.rpartition("-")[0] for path in files] == ["equivocation-2", "equivocation-3"]
    assert [line["event"] for line in logs] == ["accusation"] * 2
    pair = decode(files[0].read_bytes(), tuple[SignedMessage, SignedMessage], size_max=1 << 20)
    assert pair == (accusation(2).first, accusation(2).second)


def test_who_contradicts_itself_for_ever_fills_no_disk(tmp_path: Path) -> None:
    kept = Accusations(tmp_path)
    with capture_logs():
        for number in range(3 * PER_VALIDATOR_MAX):
            kept.keep(accusation(1, number))
        kept.keep(accusation(12))
    assert len(list(tmp_path.glob("equivocation-1-*"))) == PER_VALIDATOR_MAX
    assert len(list(tmp_path.glob("equivocation-12-*"))) == 1


def test_what_a_node_halted_over_is_kept(tmp_path: Path) -> None:
    kept = Accusations(tmp_path)
    with capture_logs():
        kept.keep_halt("two outcomes", (b"own", b"theirs"))
        kept.keep_halt("journal failed", ())
    (path,) = tmp_path.glob("*.bin")
    data = decode(path.read_bytes(), tuple[str, tuple[bytes, bytes]], size_max=1 << 20)
    assert data == ("two outcomes", (b"own", b"theirs"))


def test_a_disk_that_takes_no_accusation_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = Accusations(tmp_path / "file" / "folder")
    with capture_logs() as logs:
        kept.keep(accusation(1))
    assert [line["event"] for line in logs] == ["accusation_not_kept"]
