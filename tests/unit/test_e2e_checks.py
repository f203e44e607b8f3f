"""The checks of the end-to-end runs can fail: each is shown a network that did wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from client.node import BlockView
from consensus.pbft.messages import (
    Commit,
    Message,
    Prepare,
    SignedMessage,
    encode_message,
    signing_bytes,
)
from ledger.committee import Epoch, Epochs
from ledger.encoding import encode
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    Signature,
    ValidatorSet,
    block_hash,
)
from tests.e2e import checks
from tests.e2e.checks import Accusation, Fault, Finding, Ledger
from tests.e2e.load import Acknowledged, Failed
from tests.ledger_world import World, fake_sign, fake_verify_batch

HEIGHT = 4


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "ledger")
    for height in range(1, HEIGHT + 1):
        made.commit()
        made.certify(height)
    return made


@pytest.fixture
def ledger(world: World) -> Ledger:
    return Ledger("a", tuple(_view(world, height) for height in range(1, HEIGHT + 1)))


def _view(world: World, height: int) -> BlockView:
    store = world.store
    block = store.block(height)
    return BlockView(
        block=block,
        hash=block_hash(block.header),
        receipts=tuple(store.receipts(height)),
        commit_certificate=store.commit_certificate(height),
        execution_certificate=store.execution_certificate(height),
    )


def _epochs(world: World) -> Epochs:
    return Epochs((Epoch(0, world.validators, world.chain_id),))


def _with(ledger: Ledger, height: int, view: BlockView, *, node: str = "b") -> Ledger:
    blocks = list(ledger.blocks)
    blocks[height - 1] = view
    return Ledger(node, tuple(blocks))


def _changed(view: BlockView, **header: object) -> BlockView:
    """The same block under another header, with the hash that belongs to it."""
    changed = msgspec.structs.replace(view.block.header, **header)
    block = msgspec.structs.replace(view.block, header=changed)
    return replace(view, block=block, hash=block_hash(changed))


def _told(findings: Sequence[Finding], check: str) -> str:
    assert findings, "nothing was found"
    assert {finding.check for finding in findings} == {check}
    return str(findings[0])


def test_an_honest_network_has_no_findings(world: World, ledger: Ledger) -> None:
    both = [ledger, Ledger("b", ledger.blocks)]
    answers = [_answer(ledger, height) for height in range(1, HEIGHT + 1)]
    assert list(checks.no_fork(both)) == []
    assert list(checks.well_formed(ledger, world.genesis, _epochs(world))) == []
    assert list(checks.certified(both, world.chain_id, _epochs(world), fake_verify_batch)) == []
    assert list(checks.nothing_lost(both, answers)) == []


# --- forks and blocks -----------------------------------------------------------------------


def test_another_block_at_one_height_is_a_fork(ledger: Ledger) -> None:
    other = _with(ledger, 3, _changed(ledger.blocks[2], proposer=0))
    assert "height 3" in _told(list(checks.no_fork([ledger, other])), "fork")


def test_another_receipt_for_one_block_is_a_fork(ledger: Ledger) -> None:
    view = ledger.blocks[1]
    other = _with(ledger, 2, replace(view, receipts=view.receipts[:-1]))
    assert "height 2" in _told(list(checks.no_fork([ledger, other])), "fork")


def test_another_state_root_for_one_block_is_a_fork(ledger: Ledger) -> None:
    view = ledger.blocks[1]
    certificate = _execution(view)
    statement = msgspec.structs.replace(certificate.statement, state_root=bytes(32))
    changed = msgspec.structs.replace(certificate, statement=statement)
    other = _with(ledger, 2, replace(view, execution_certificate=changed))
    assert "height 2" in _told(list(checks.no_fork([ledger, other])), "fork")


def test_a_node_that_stays_behind_is_told(ledger: Ledger) -> None:
    short = Ledger("b", ledger.blocks[:-1])
    assert "b 3" in _told(list(checks.no_fork([ledger, short])), "fork")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("height", 9),
        ("chain_id", bytes(32)),
        ("previous_hash", bytes(32)),
        ("time_ms", 1),
        ("transactions_root", bytes(32)),
        ("validators_hash", bytes(32)),
    ],
)
def test_a_header_that_does_not_fit_is_told(
    world: World, ledger: Ledger, field: str, value: object
) -> None:
    bad = _with(ledger, HEIGHT, _changed(ledger.blocks[-1], **{field: value}))
    assert f"height {HEIGHT}" in _told(
        list(checks.well_formed(bad, world.genesis, _epochs(world))), "block"
    )


def test_a_hash_that_is_not_the_headers_is_told(world: World, ledger: Ledger) -> None:
    bad = _with(ledger, 1, replace(ledger.blocks[0], hash=bytes(32)))
    assert "wrong hash" in _told(
        list(checks.well_formed(bad, world.genesis, _epochs(world))), "block"
    )


# --- certificates ---------------------------------------------------------------------------


def _commit(view: BlockView) -> CommitCertificate:
    assert view.commit_certificate is not None
    return view.commit_certificate


def _execution(view: BlockView) -> ExecutionCertificate:
    assert view.execution_certificate is not None
    return view.execution_certificate


def _uncertain(world: World, ledger: Ledger, view: BlockView) -> str:
    bad = _with(ledger, 2, view)
    return _told(
        list(checks.certified([bad], world.chain_id, _epochs(world), fake_verify_batch)),
        "certificate",
    )


@pytest.mark.parametrize("kind", ["commit_certificate", "execution_certificate"])
def test_a_block_without_a_certificate_is_told(world: World, ledger: Ledger, kind: str) -> None:
    view = ledger.blocks[1]
    bad = (
        replace(view, commit_certificate=None)
        if kind == "commit_certificate"
        else replace(view, execution_certificate=None)
    )
    assert "missing" in _uncertain(world, ledger, bad)


def test_certificates_of_another_block_are_told(world: World, ledger: Ledger) -> None:
    view, other = ledger.blocks[1], ledger.blocks[2]
    commit, execution = other.commit_certificate, other.execution_certificate
    assert "another height" in _uncertain(world, ledger, replace(view, commit_certificate=commit))
    assert "another block" in _uncertain(
        world, ledger, replace(view, execution_certificate=execution)
    )


def test_a_certificate_for_another_proposal_is_told(world: World, ledger: Ledger) -> None:
    view = ledger.blocks[1]
    block = msgspec.structs.replace(view.block, proposal_time_ms=1)
    assert "another proposal" in _uncertain(world, ledger, replace(view, block=block))


def test_receipts_that_no_quorum_signed_are_told(world: World, ledger: Ledger) -> None:
    view = ledger.blocks[1]
    forged = tuple(msgspec.structs.replace(receipt, status=1) for receipt in view.receipts)
    assert "other receipts" in _uncertain(world, ledger, replace(view, receipts=forged))


def test_one_signature_less_than_a_quorum_is_told(world: World, ledger: Ledger) -> None:
    view = ledger.blocks[1]
    certificate = _commit(view)
    less = msgspec.structs.replace(certificate, signatures=certificate.signatures[:-1])
    assert "quorum" in _uncertain(world, ledger, replace(view, commit_certificate=less))


@pytest.mark.parametrize("kind", ["commit", "execution"])
def test_a_forged_signature_is_told(world: World, ledger: Ledger, kind: str) -> None:
    view = ledger.blocks[1]

    def forged(signatures: tuple[Signature, ...]) -> tuple[Signature, ...]:
        return (Signature(signatures[0].validator, bytes(64)), *signatures[1:])

    if kind == "commit":
        commit = _commit(view)
        commit = msgspec.structs.replace(commit, signatures=forged(commit.signatures))
        bad = replace(view, commit_certificate=commit)
    else:
        execution = _execution(view)
        execution = msgspec.structs.replace(execution, signatures=forged(execution.signatures))
        bad = replace(view, execution_certificate=execution)
    assert "does not hold" in _uncertain(world, ledger, bad)


# --- acknowledgements -----------------------------------------------------------------------


def _answer(ledger: Ledger, height: int, *, began: float = 0, ended: float = 1) -> Acknowledged:
    return Acknowledged(began, ended, height, ledger.blocks[height - 1].receipts[0])


def test_an_acknowledged_transaction_that_one_node_lacks_is_lost(ledger: Ledger) -> None:
    short = Ledger("b", ledger.blocks[:-1])
    findings = list(checks.nothing_lost([ledger, short], [_answer(ledger, HEIGHT)]))
    assert "b lacks" in _told(findings, "lost")


def test_another_receipt_than_the_acknowledged_one_is_a_loss(ledger: Ledger) -> None:
    answer = _answer(ledger, 2)
    told = replace(answer, receipt=msgspec.structs.replace(answer.receipt, gas_used=1))
    assert "another receipt" in _told(list(checks.nothing_lost([ledger], [told])), "lost")


def test_a_transaction_that_was_included_twice_is_told(ledger: Ledger) -> None:
    twice = Ledger("b", (*ledger.blocks, ledger.blocks[0]))
    assert "b: " in _told(list(checks.nothing_lost([twice], [])), "twice")


def test_a_call_that_failed_is_told() -> None:
    failed = [Failed(1.0, 61.0, "no answer")]
    assert "60.0 s: no answer" in _told(list(checks.none_failed(failed)), "call")


# --- time -----------------------------------------------------------------------------------


def test_only_calls_that_began_after_the_fault_show_that_commits_resumed(ledger: Ledger) -> None:
    fault = Fault(10.0, "kill", "a")
    under_way = _answer(ledger, 1, began=9.9, ended=10.1)
    later = _answer(ledger, 2, began=10.2, ended=13.0)
    ((_, seconds),) = checks.resumptions([fault], [under_way, later])
    assert seconds == pytest.approx(3.0)


def test_commits_that_resume_late_or_never_are_told(ledger: Ledger) -> None:
    fault = Fault(10.0, "kill", "a")
    late = [(fault, 5.5)]
    assert list(checks.in_time(late, 6.0)) == []
    assert "5.50 s, not 5 s" in _told(list(checks.in_time(late, 5.0)), "resume")
    assert "no later call" in _told(list(checks.in_time([(fault, None)], None)), "resume")


def test_the_longest_silence_counts_from_the_beginning_to_the_end(ledger: Ledger) -> None:
    answers = [_answer(ledger, 1, ended=at) for at in (1.0, 2.0, 5.0, 6.0)]
    silence = checks.longest_silence(answers, began=0.0, ended=10.0)
    assert silence == (6.0, 4.0)
    assert checks.longest_silence([], began=1.0, ended=9.0) == (1.0, 8.0)
    assert list(checks.silent_at_most(silence, 4.0, began=0.0)) == []
    found = list(checks.silent_at_most(silence, 3.5, began=0.0))
    assert "4.00 s from 6.0 s on" in _told(found, "silence")


def test_a_wrong_clock_in_the_chain_is_told(ledger: Ledger) -> None:
    made_s = ledger.blocks[1].block.header.time_ms / 1000

    def judged(began: float, ended: float) -> list[Finding]:
        answer = _answer(ledger, 2, began=began - made_s, ended=ended - made_s)
        return list(checks.timely(ledger, [answer], skew_ms_max=5000, wall_offset_s=made_s))

    assert judged(made_s - 1, made_s + 1) == []
    assert judged(made_s + 4, made_s + 9) == []
    assert "off by 60.0 s" in _told(judged(made_s + 60, made_s + 61), "time")
    assert "off by 60.0 s" in _told(judged(made_s - 61, made_s - 60), "time")


def test_a_run_without_an_answer_shows_nothing(ledger: Ledger) -> None:
    assert list(checks.kept_busy([_answer(ledger, 1)])) == []
    assert "no call" in _told(list(checks.kept_busy([])), "load")


# --- accusations ----------------------------------------------------------------------------


def _signed(world: World, sender: int, message: Message) -> SignedMessage:
    key = world.validators.validators[sender].public_key
    signature = fake_sign(key, signing_bytes(world.chain_id, message))
    return SignedMessage(sender, encode_message(message), signature)


def _vote(digest: bytes, *, view: int = 1, height: int = 2) -> Prepare:
    return Prepare(view=view, height=height, digest=digest)


def _accused(world: World, *data: bytes, expected: tuple[str, ...] = ()) -> list[Finding]:
    return list(
        checks.justly_accused(
            [Accusation(f"holder{number}", one) for number, one in enumerate(data)],
            _epochs(world),
            liars={"v1"},
            expected=expected,
            holders_min=2,
            verify_batch=fake_verify_batch,
        )
    )


def _proof(world: World, sender: int = 1) -> bytes:
    one, two = _vote(b"a" * 32), _vote(b"b" * 32)
    return encode((_signed(world, sender, one), _signed(world, sender, two)))


def test_enough_proofs_against_the_liar_are_no_finding(world: World) -> None:
    assert _accused(world, _proof(world), _proof(world), expected=("v1",)) == []


def test_a_liar_whom_too_few_accuse_is_told(world: World) -> None:
    assert "1 nodes hold" in _told(_accused(world, _proof(world), expected=("v1",)), "accusation")
    assert "0 nodes hold" in _told(_accused(world, expected=("v1",)), "accusation")


def test_a_proof_against_an_honest_node_is_told(world: World) -> None:
    """It signed twice: a restart made it forget what it had said."""
    assert "v2, who is honest" in _told(_accused(world, _proof(world, sender=2)), "accusation")


def test_accusations_that_prove_nothing_are_told(world: World) -> None:
    one = _signed(world, 1, _vote(b"a" * 32))
    wrong = {
        "no accusation at all": b"\x01\x02",
        "one vote, twice": encode((one, one)),
        "another height": encode((one, _signed(world, 1, _vote(b"b" * 32, height=3)))),
        "another view": encode((one, _signed(world, 1, _vote(b"b" * 32, view=2)))),
        "another sender": encode((one, _signed(world, 2, _vote(b"b" * 32)))),
        "another kind": encode(
            (one, _signed(world, 1, Commit(view=1, height=2, digest=b"b" * 32)))
        ),
        "a forged signature": encode(
            (one, SignedMessage(1, encode_message(_vote(b"b" * 32)), bytes(64)))
        ),
    }
    for what, data in wrong.items():
        assert "proves nothing" in _told(_accused(world, data), "accusation"), what


# --- committees -----------------------------------------------------------------------------


def _grown(world: World, base: int = 2) -> Epochs:
    """Two members change places: another committee of the same people."""
    first, second, *rest = world.validators.validators
    later = ValidatorSet((second, first, *rest))
    return _epochs(world).with_next(Epoch(base, later, world.chain_id))


def test_nodes_that_prove_different_committees_are_told(world: World) -> None:
    shown = {"a": _epochs(world), "b": _epochs(world)}
    assert list(checks.all_show(shown)) == []
    assert "a and b" in _told(list(checks.all_show(shown | {"b": _grown(world)})), "committee")


def test_another_base_is_another_committee(world: World) -> None:
    shown = {"a": _grown(world, 2), "b": _grown(world, 3)}
    assert "a and b" in _told(list(checks.all_show(shown)), "committee")


def test_blocks_are_judged_by_the_committee_of_their_height(world: World, ledger: Ledger) -> None:
    found = list(checks.well_formed(ledger, world.genesis, _grown(world)))
    assert [finding.detail for finding in found] == [
        f"a, height {height}: wrong committee" for height in range(3, HEIGHT + 1)
    ]
    signed = list(checks.certified([ledger], world.chain_id, _grown(world), fake_verify_batch))
    heights = {finding.detail.split(":")[0] for finding in signed}
    assert heights == {f"a, height {height}" for height in range(3, HEIGHT + 1)}


def _decided(world: World, *, changes: int = 1, **roles: bool) -> list[Finding]:
    members = {validator.name for validator in world.validators.validators}
    return list(checks.as_decided(_grown(world), members, changes=changes, roles=roles))


def test_a_change_that_did_not_come_into_force_is_told(world: World) -> None:
    assert _decided(world) == []
    assert "1 changes in force, not 2" in _told(_decided(world, changes=2), "committee")


def test_another_committee_than_the_wanted_one_is_told(world: World) -> None:
    found = list(checks.as_decided(_grown(world), {"v9"}, changes=1, roles={}))
    assert "it is v0" in _told(found, "committee")


def test_a_node_that_has_another_role_than_its_own_is_told(world: World) -> None:
    assert _decided(world, v1=True, observer=False) == []
    assert "v1 does not vote" in _told(_decided(world, v1=False), "committee")
    assert "observer votes" in _told(_decided(world, observer=True), "committee")


def test_an_expelled_node_that_gets_blocks_or_links_or_forked_is_told(ledger: Ledger) -> None:
    gone = Ledger("gone", ledger.blocks[:2])
    assert list(checks.cut_off(gone, [ledger], [], grace=2)) == []
    assert "2 blocks" in _told(list(checks.cut_off(gone, [ledger], [], grace=1)), "expelled")
    linked = list(checks.cut_off(gone, [ledger], ["v1"], grace=2))
    assert "v1 is still linked" in _told(linked, "expelled")
    other = _with(gone, 2, _changed(ledger.blocks[1], proposer=0), node="gone")
    assert "height 2" in _told(list(checks.cut_off(other, [ledger], [], grace=2)), "fork")
