"""The verdict over a run: functions of what nodes and clients say, so that tests can lie to them.

Every check yields findings; a run is good when there is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from client.node import BlockView, NodeClient
from consensus.pbft.messages import Commit, Prepare, SignedMessage, decode_message, signing_bytes
from crypto.provider import SignedItem
from crypto.providers.software import verify_batch
from ledger.blocks import genesis_block, proposal_of
from ledger.certificates import VerifyBatch, commit_items, execution_items
from ledger.committee import Epochs
from ledger.encoding import decode
from ledger.errors import CertificateInvalid, DecodeError
from ledger.genesis import Genesis, chain_id
from ledger.merkle import receipts_root, transactions_root
from ledger.model import Receipt, ValidatorSet, block_hash, proposal_digest, transaction_id
from tests.e2e.load import Acknowledged, Failed

ACCUSATION_SIZE_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be."""

    check: str
    detail: str

    def __str__(self) -> str:
        return f"{self.check}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one node shows, heights 1 to its head."""

    node: str
    blocks: tuple[BlockView, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """A node was taken away, or came back, at this time of the monotonic clock."""

    at: float
    kind: str
    node: str


@dataclass(frozen=True, slots=True)
class Accusation:
    """A file that `holder` keeps."""

    holder: str
    data: bytes


def fetch(node: str, client: NodeClient, height: int | None = None) -> Ledger:
    """The blocks of a node up to `height`, by default to its head. Raises ClientError."""
    if height is None:
        height = client.status().height
    return Ledger(node, tuple(client.block(number) for number in range(1, height + 1)))


def no_fork(ledgers: Sequence[Ledger]) -> Iterator[Finding]:
    """Every height has one block, hash, outcome and state root, on all nodes."""
    first = ledgers[0]
    for other in ledgers[1:]:
        if len(other.blocks) != len(first.blocks):
            heights = f"{first.node} {len(first.blocks)}, {other.node} {len(other.blocks)}"
            yield Finding("fork", f"the heads differ: {heights}")
        for height, (one, two) in enumerate(zip(first.blocks, other.blocks, strict=False), 1):
            if _content(one) != _content(two):
                yield Finding("fork", f"{first.node} and {other.node} differ at height {height}")
                break


def well_formed(ledger: Ledger, genesis: Genesis, epochs: Epochs) -> Iterator[Finding]:
    """Headers follow each other and cover what their blocks hold."""
    previous = genesis_block(genesis).header
    for height, view in enumerate(ledger.blocks, 1):
        header = view.block.header
        holds = {
            "height": header.height == height,
            "chain": header.chain_id == chain_id(genesis),
            "hash": view.hash == block_hash(header),
            "previous hash": header.previous_hash == block_hash(previous),
            "time": header.time_ms > previous.time_ms,
            "transactions": header.transactions_root == transactions_root(view.block.transactions),
            "committee": header.validators_hash == epochs.at(height).validators.digest,
        }
        for what, is_so in holds.items():
            if not is_so:
                yield Finding("block", f"{ledger.node}, height {height}: wrong {what}")
        previous = header


def certified(
    ledgers: Sequence[Ledger],
    chain: bytes,
    epochs: Epochs,
    verify_batch: VerifyBatch = verify_batch,
) -> Iterator[Finding]:
    """Every block of every node has both certificates, by quorums of its height's committee."""
    claims: dict[SignedItem, str] = {}
    for ledger in ledgers:
        for view in ledger.blocks:
            height = view.block.header.height
            where = f"{ledger.node}, height {height}"
            try:
                for item in _signatures(view, epochs.at(height).validators, chain):
                    claims.setdefault(item, where)
            except CertificateInvalid as error:
                yield Finding("certificate", f"{where}: {error}")
    # One vote is in the certificates of many nodes: judged once.
    for (_, where), good in zip(claims.items(), verify_batch(list(claims)), strict=True):
        if not good:
            yield Finding("certificate", f"{where}: a signature does not hold")


def nothing_lost(
    ledgers: Sequence[Ledger], acknowledged: Sequence[Acknowledged]
) -> Iterator[Finding]:
    """Whatever a client was told is final stands in every ledger, with the same receipt, once."""
    for ledger in ledgers:
        found: dict[bytes, Receipt] = {}
        for view in ledger.blocks:
            for receipt in view.receipts:
                if receipt.transaction_id in found:
                    yield Finding("twice", f"{ledger.node}: {receipt.transaction_id.hex()}")
                found[receipt.transaction_id] = receipt
        for answer in acknowledged:
            wanted = answer.receipt.transaction_id
            if wanted not in found:
                yield Finding("lost", f"{ledger.node} lacks {wanted.hex()}, acknowledged")
            elif found[wanted] != answer.receipt:
                yield Finding("lost", f"{ledger.node}: another receipt for {wanted.hex()}")


def all_show(committees: Mapping[str, Epochs]) -> Iterator[Finding]:
    """Every node proves the same committees, in force from the same heights."""
    (first, epochs), *others = committees.items()
    for name, other in others:
        if other.all != epochs.all:
            yield Finding("committee", f"{first} and {name} show different committees")


def as_decided(
    epochs: Epochs, members: Collection[str], *, changes: int, roles: Mapping[str, bool]
) -> Iterator[Finding]:
    """The committee came to be what the changes wanted, and everybody has its role in it.

    `roles`: does the node take itself for a member?
    """
    if len(epochs.all) != 1 + changes:
        yield Finding("committee", f"{len(epochs.all) - 1} changes in force, not {changes}")
    names = {validator.name for validator in epochs.newest.validators.validators}
    if names != set(members):
        yield Finding("committee", f"it is {' '.join(sorted(names))}")
    for name, is_member in sorted(roles.items()):
        if is_member != (name in members):
            yield Finding("committee", f"{name} {'votes' if is_member else 'does not vote'}")


def cut_off(
    expelled: Ledger, others: Sequence[Ledger], linked: Collection[str], *, grace: int
) -> Iterator[Finding]:
    """Who was expelled got no later block, contradicts none, and nobody is linked with it.

    `linked`: who is. `grace`: the last height that it may have.
    """
    for name in sorted(linked):
        yield Finding("expelled", f"{name} is still linked with {expelled.node}")
    if len(expelled.blocks) > grace:
        yield Finding("expelled", f"{expelled.node} has {len(expelled.blocks)} blocks")
    for other in others:
        for one, two in zip(expelled.blocks, other.blocks, strict=False):
            if (one.block, one.hash, one.receipts) != (two.block, two.hash, two.receipts):
                height = one.block.header.height
                told = f"{expelled.node} and {other.node} differ at height {height}"
                yield Finding("fork", told)
                break


def timely(
    ledger: Ledger,
    acknowledged: Sequence[Acknowledged],
    *,
    skew_ms_max: int,
    wall_offset_s: float,
) -> Iterator[Finding]:
    """No clock that is wrong gets into the chain: a block was made while its calls were waiting.

    `wall_offset_s`: what the clients' monotonic clock lacks to the time of day.
    """
    for answer in acknowledged:
        if answer.height > len(ledger.blocks):
            continue  # `nothing_lost` tells
        time_ms = ledger.blocks[answer.height - 1].block.header.time_ms
        early_ms = (answer.began + wall_offset_s) * 1000 - time_ms
        late_ms = time_ms - (answer.ended + wall_offset_s) * 1000
        if max(early_ms, late_ms) > skew_ms_max:
            yield Finding(
                "time", f"block {answer.height} is off by {max(early_ms, late_ms) / 1000:.1f} s"
            )


def kept_busy(acknowledged: Sequence[Acknowledged]) -> Iterator[Finding]:
    """Without an answer nothing was shown."""
    if not acknowledged:
        yield Finding("load", "no call was acknowledged")


def justly_accused(
    accusations: Sequence[Accusation],
    epochs: Epochs,
    *,
    liars: Collection[str],
    expected: Collection[str],
    holders_min: int,
    verify_batch: VerifyBatch = verify_batch,
) -> Iterator[Finding]:
    """Each accusation proves its case, none is against an honest node, the liars have theirs."""
    holders: dict[str, set[str]] = {name: set() for name in expected}
    for accusation in accusations:
        try:
            offender = proven_offender(accusation.data, epochs, verify_batch)
        except (DecodeError, CertificateInvalid) as error:
            yield Finding("accusation", f"a file of {accusation.holder} proves nothing: {error}")
            continue
        if offender not in liars:
            yield Finding("accusation", f"{accusation.holder} accuses {offender}, who is honest")
        holders.setdefault(offender, set()).add(accusation.holder)
    for name in sorted(expected):
        if len(holders[name]) < holders_min:
            yield Finding(
                "accusation",
                f"{len(holders[name])} nodes hold proof against {name}, not {holders_min}",
            )


def proven_offender(data: bytes, epochs: Epochs, verify_batch: VerifyBatch) -> str:
    """The name of the validator that signed both votes. Raises DecodeError, CertificateInvalid."""
    pair = decode(data, tuple[SignedMessage, SignedMessage], size_max=ACCUSATION_SIZE_MAX)
    votes = [decode_message(signed.message) for signed in pair]
    one, two = votes
    if not isinstance(one, Prepare | Commit) or type(one) is not type(two):
        raise CertificateInvalid("these are no two votes of one kind")
    assert isinstance(two, Prepare | Commit)
    epoch = epochs.at(one.height)
    members = epoch.validators.validators
    items = []
    for signed, vote in zip(pair, votes, strict=True):
        if signed.sender != pair[0].sender or signed.sender >= len(members):
            raise CertificateInvalid("the senders differ or are no validators")
        message = signing_bytes(epoch.domain, vote)
        items.append(SignedItem(members[signed.sender].public_key, message, signed.signature))
    if (one.view, one.height) != (two.view, two.height) or one.digest == two.digest:
        raise CertificateInvalid("the votes do not contradict each other")
    if not all(verify_batch(items)):
        raise CertificateInvalid("a signature does not hold")
    return members[pair[0].sender].name


def resumptions(
    faults: Sequence[Fault], acknowledged: Sequence[Acknowledged]
) -> list[tuple[Fault, float | None]]:
    """Seconds from each fault to the first certified commit of a call that began after it."""
    result: list[tuple[Fault, float | None]] = []
    for fault in faults:
        ends = [answer.ended for answer in acknowledged if answer.began > fault.at]
        result.append((fault, min(ends) - fault.at if ends else None))
    return result


def in_time(
    measured: Sequence[tuple[Fault, float | None]], resume_s: float | None
) -> Iterator[Finding]:
    for fault, seconds in measured:
        what = f"{fault.kind} of {fault.node}"
        if seconds is None:
            yield Finding("resume", f"{what}: no later call was ever acknowledged")
        elif resume_s is not None and seconds > resume_s:
            yield Finding("resume", f"{what}: {seconds:.2f} s, not {resume_s:g} s")


def longest_silence(
    acknowledged: Sequence[Acknowledged], *, began: float, ended: float
) -> tuple[float, float]:
    """When the longest time began in which no client heard of a commit, and its seconds."""
    inside = sorted(answer.ended for answer in acknowledged if began < answer.ended < ended)
    gaps = [(two - one, one) for one, two in pairwise([began, *inside, ended])]
    length, at = max(gaps)
    return at, length


def silent_at_most(
    silence: tuple[float, float], silence_s: float | None, *, began: float
) -> Iterator[Finding]:
    at, length = silence
    if silence_s is not None and length > silence_s:
        yield Finding("silence", f"{length:.2f} s from {at - began:.1f} s on, not {silence_s:g} s")


def views(ledger: Ledger) -> int:
    """In how many views the blocks were committed."""
    return len({v.commit_certificate.view for v in ledger.blocks if v.commit_certificate})


def none_failed(failed: Sequence[Failed]) -> Iterator[Finding]:
    """A client moves on to another node; its caller sees no error."""
    for call in failed:
        yield Finding("call", f"failed after {call.ended - call.began:.1f} s: {call.reason}")


def _content(view: BlockView) -> tuple[object, ...]:
    certificate = view.execution_certificate
    statement = certificate.statement if certificate is not None else None
    return view.block, view.hash, view.receipts, statement


def _signatures(view: BlockView, validators: ValidatorSet, chain: bytes) -> Iterator[SignedItem]:
    commit, execution = view.commit_certificate, view.execution_certificate
    if commit is None or execution is None:
        raise CertificateInvalid("a certificate is missing")
    header = view.block.header
    if commit.height != header.height:
        raise CertificateInvalid("the commit certificate is for another height")
    if commit.proposal_digest != proposal_digest(proposal_of(view.block)):
        raise CertificateInvalid("the commit certificate is for another proposal")
    statement = execution.statement
    if (statement.height, statement.block_hash) != (header.height, view.hash):
        raise CertificateInvalid("the execution certificate is for another block")
    if statement.receipts_root != receipts_root(view.receipts):
        raise CertificateInvalid("the execution certificate is for other receipts")
    if [r.transaction_id for r in view.receipts] != [
        transaction_id(t) for t in view.block.transactions
    ]:
        raise CertificateInvalid("the receipts are not those of the transactions")
    yield from commit_items(commit, validators, chain)
    yield from execution_items(execution, validators, chain)
