"""Twelve ways to tamper with an archive, each named exactly: kind, height, transaction, key.

The forger recomputes everything that needs no key (see tests.archive_world).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import plyvel
import pytest
from msgspec.structs import replace

import ledger.archive
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.archive import ArchiveChunk, ArchiveCommittee, ArchiveWriter, FrameKind, Part, export
from ledger.archive_reader import Archive
from ledger.blocks import proposal_of
from ledger.certificates import VoteKind, vote_message
from ledger.encoding import decode, encode
from ledger.genesis import Genesis, chain_id
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    Signature,
    Transaction,
    TransactionBody,
    Validator,
    ValidatorSet,
    execution_message,
    proposal_digest,
    transaction_id,
)
from ledger.schema import state_key
from ledger.values import decode_value, encode_value
from node.audit import Divergence, Kind, Verdict, replay
from node.bootstrap import LEDGER
from tests.archive_world import (
    Entries,
    bent,
    entries_of,
    relinked,
    rewrite,
    with_block,
    with_header,
    with_transactions,
)
from tests.moving_chain import WINDOW, Chain

NOTES = """
from contracts.dialect import Map, call
notes = Map(str, int)
@call
def put(name: str, value: int) -> None:
    notes[name] = value
"""
DEPLOYED, FULL, SINGLE = 1, 2, 3  # heights: code is brought, four transactions, one
BRANCH = 3  # from the block after it on, two histories go on


@dataclass(frozen=True, slots=True)
class Case:
    """A good archive, what is in it, and where forged ones go."""

    chain: Chain
    archive: Path
    entries: Entries
    fork: Entries  # another history above BRANCH, ordered and certified by the same quorum
    base: int  # the second committee orders above it
    folder: Path

    @property
    def genesis(self) -> Genesis:
        return self.chain.genesis

    @property
    def head(self) -> int:
        return len(self.entries) - 1

    def forged(
        self,
        entries: Entries,
        *,
        chain_id: bytes | None = None,
        committees: Sequence[ArchiveCommittee] | None = None,
    ) -> Path:
        return rewrite(
            self.folder / "forged",
            self.archive,
            self.genesis,
            entries,
            chain_id=chain_id,
            committees=committees,
        )

    def name(self, height: int, place: int, entries: Entries | None = None) -> str:
        """The id of a transaction."""
        block = (entries or self.entries)[height].block
        return transaction_id(block.transactions[place]).hex()


def examined(path: Path, genesis: Genesis) -> Verdict:
    return replay(path, genesis, advance=lambda done, total: None)


def evidence(chain: Chain, name: str) -> Transaction:
    return chain.act(
        chain.voices[0],
        *("evidence", "record", name, "delivery.sent", "model-7", bytes(32), ""),
    )


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Chain, Path, Entries, int]]:
    chain = Chain(tmp_path_factory.mktemp("grown"))
    source: tuple[str, str, bytes] = ("notes", NOTES, encode_value([]))
    chain.include(chain.act(chain.manager, "contract", "deploy", *source), evidence(chain, "e-0"))
    chain.include(*(evidence(chain, f"e-{number}") for number in range(1, 5)))
    chain.record("single")
    fork = chain.forked(chain.root / "fork")
    for number in range(3):
        fork.record(f"fork-{number}")
    chain.admit(4)
    base = chain.decide("add_validator", 4) + WINDOW
    chain.grow_to(base + 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger.archive, "CHUNK_SIZE", 8 << 10)
        written = export(chain.store, chain.root / "archive", lambda done, total: None)
    assert written.chunks > 3
    export(fork.store, chain.root / "fork-archive", lambda done, total: None)
    fork.store.close()
    yield chain, chain.root / "archive", entries_of(chain.root / "fork-archive"), base
    chain.store.close()


@pytest.fixture
def case(grown: tuple[Chain, Path, Entries, int], tmp_path: Path) -> Case:
    chain, archive, fork, base = grown
    return Case(chain, archive, entries_of(archive), fork, base, tmp_path)


def test_the_archive_holds(case: Case) -> None:
    verdict = examined(case.archive, case.genesis)
    assert verdict.divergence is None
    assert (verdict.height, verdict.certified_height) == (case.head, case.head)
    assert verdict.committees == 2
    assert "notes" in {found.name for found in verdict.contracts}


# --- the forgeries ----------------------------------------------------------------------------

Forged = tuple[Path, Genesis, dict[str, object]]
Forge = Callable[[Case], Forged]


def signature(case: Case) -> Forged:
    entries = case.entries
    block = entries[FULL].block
    first, second, *rest = block.transactions
    forged = replace(second, signature=bent(second.signature))
    entries[FULL] = with_block(entries[FULL], transactions=(first, forged, *rest))
    told: dict[str, object] = {
        "kind": Kind.SIGNATURE,
        "height": FULL,
        "transaction": case.name(FULL, 1),
    }
    return case.forged(entries), case.genesis, told


def order(case: Case) -> Forged:
    entries = case.entries
    one, two, *rest = entries[FULL].block.transactions
    entries[FULL] = with_transactions(entries[FULL], (two, one, *rest))
    first, second = case.name(FULL, 1, entries), case.name(FULL, 0, entries)
    told: dict[str, object] = {"kind": Kind.ORDER, "height": FULL, "transaction": second}
    told |= {"expected": "at place 1", "found": "at place 0"}
    assert first != second
    return case.forged(relinked(entries, FULL)), case.genesis, told


def time(case: Case) -> Forged:
    entries = case.entries
    true = entries[FULL].block.header.time_ms
    later = with_header(entries[FULL], time_ms=true + 1)
    entries[FULL] = with_block(later, proposal_time_ms=true + 1)
    told: dict[str, object] = {
        "kind": Kind.TIME,
        "height": FULL,
        "expected": str(true),
        "found": str(true + 1),
    }
    return case.forged(relinked(entries, FULL)), case.genesis, told


def time_before(case: Case) -> Forged:
    entries = case.entries
    true = entries[FULL].block.header.time_ms
    entries[FULL] = with_header(entries[FULL], time_ms=1)
    told: dict[str, object] = {
        "kind": Kind.TIME,
        "height": FULL,
        "expected": str(true),
        "found": "1",
    }
    return case.forged(relinked(entries, FULL)), case.genesis, told


def receipt(case: Case) -> Forged:
    entries = case.entries
    *first, last = entries[FULL].receipts
    cheaper = replace(last, gas_used=last.gas_used - 1)
    entries[FULL] = replace(entries[FULL], receipts=(*first, cheaper))
    told: dict[str, object] = {
        "kind": Kind.RECEIPT,
        "height": FULL,
        "transaction": case.name(FULL, 3),
    }
    told |= {"check": "receipt, gas_used", "expected": str(last.gas_used)}
    return case.forged(relinked(entries, FULL)), case.genesis, told


def state(case: Case) -> Forged:
    """Of the newest block, with no certificate left to contradict it."""
    entries, head = case.entries, case.head
    true = entries[head].statement.state_root
    statement = replace(entries[head].statement, state_root=bytes(32))
    entries[head] = replace(entries[head], statement=statement, execution_certificate=None)
    told: dict[str, object] = {
        "kind": Kind.STATE,
        "height": head,
        "transaction": case.name(head, 0),
    }
    told |= {"expected": true.hex(), "found": bytes(32).hex(), "key": "evidence/"}
    return case.forged(entries), case.genesis, told


def certificate(case: Case) -> Forged:
    entries = case.entries
    found = entries[FULL].commit_certificate
    assert found is not None
    first, *rest = found.signatures
    forged = replace(found, signatures=(replace(first, signature=bent(first.signature)), *rest))
    entries[FULL] = replace(entries[FULL], commit_certificate=forged)
    told: dict[str, object] = {
        "kind": Kind.CERTIFICATE,
        "height": FULL,
        "expected": "a valid one of node1",
    }
    return case.forged(entries), case.genesis, told


def execution_certificate(case: Case) -> Forged:
    entries = case.entries
    found = entries[FULL].execution_certificate
    assert found is not None
    forged = replace(found, signatures=found.signatures[1:])
    entries[FULL] = replace(entries[FULL], execution_certificate=forged)
    told: dict[str, object] = {
        "kind": Kind.CERTIFICATE,
        "height": FULL,
        "check": "2 signatures, but a quorum",
    }
    return case.forged(entries), case.genesis, told


def validator_set(case: Case) -> Forged:
    """The forger's own committee takes over where another one should."""
    keys = [SoftwareProvider(sm2.generate()) for _ in range(4)]
    own = ValidatorSet(
        tuple(Validator(f"x{i}", "x", key.public_key, f"peer{i}") for i, key in enumerate(keys))
    )

    def sign(message: bytes) -> tuple[Signature, ...]:
        return tuple(Signature(i, key.sign(message)) for i, key in enumerate(keys))

    first, entries = case.base + 1, case.entries
    true = entries[first].block.header.validators_hash
    for height in range(first, len(entries)):
        entries[height] = with_header(entries[height], validators_hash=own.digest)
    entries = relinked(entries, first)
    for height in range(first, len(entries)):
        entry = entries[height]
        statement = replace(entry.statement, next_validators_hash=own.digest)
        digest = proposal_digest(proposal_of(entry.block))
        vote = vote_message(VoteKind.COMMIT, case.chain.chain_id, 0, height, digest)
        entries[height] = replace(
            entry,
            statement=statement,
            commit_certificate=CommitCertificate(0, height, digest, sign(vote)),
            execution_certificate=ExecutionCertificate(
                statement, sign(execution_message(statement))
            ),
        )
    told: dict[str, object] = {"kind": Kind.VALIDATOR_SET, "height": first}
    told |= {"expected": true.hex(), "found": own.digest.hex()}
    forged = case.forged(entries, committees=[ArchiveCommittee(case.base, own)])
    return forged, case.genesis, told


def committee_table(case: Case) -> Forged:
    own = ArchiveCommittee(case.base, case.genesis.validators)
    told: dict[str, object] = {
        "kind": Kind.VALIDATOR_SET,
        "height": case.base,
        "check": "the next committee",
    }
    return case.forged(case.entries, committees=[own]), case.genesis, told


def contract_code(case: Case) -> Forged:
    entries = case.entries
    transactions = list(entries[DEPLOYED].block.transactions)
    bodies = [decode(found.body, TransactionBody, size_max=1 << 20) for found in transactions]
    place = [body.method for body in bodies].index("deploy")
    args = decode_value(bodies[place].args)
    assert isinstance(args, list)
    altered = encode_value([args[0], str(args[1]).replace("= value", "= value + 1"), args[2]])
    forged = encode(replace(bodies[place], args=altered))
    transactions[place] = replace(transactions[place], body=forged)
    entries[DEPLOYED] = with_transactions(entries[DEPLOYED], transactions)
    told: dict[str, object] = {
        "kind": Kind.CONTRACT_CODE,
        "height": DEPLOYED,
        "key": "code/notes/1",
    }
    told |= {"transaction": transaction_id(transactions[place]).hex()}
    return case.forged(relinked(entries, DEPLOYED, is_sorted=True)), case.genesis, told


def missing_block(case: Case) -> Forged:
    entries = case.entries
    del entries[FULL]
    told: dict[str, object] = {"kind": Kind.MISSING_BLOCK, "height": FULL, "found": str(FULL + 1)}
    return case.forged(entries), case.genesis, told


def missing_tail(case: Case) -> Forged:
    told: dict[str, object] = {"kind": Kind.MISSING_BLOCK, "height": case.head}
    return case.forged(case.entries[:-1]), case.genesis, told


def spliced(case: Case) -> Entries:
    return [*case.entries[: BRANCH + 2], *case.fork[BRANCH + 2 :]]


def padded(case: Case, entries: Entries) -> Entries:
    """As many heights as the head promises."""
    return [*entries, *case.entries[len(entries) :]]


def forked_tail(case: Case) -> Forged:
    entries = padded(case, spliced(case))
    true = entries[BRANCH + 2].block.header.previous_hash
    told: dict[str, object] = {"kind": Kind.FORK, "height": BRANCH + 2, "found": true.hex()}
    return case.forged(entries), case.genesis, told


def relinked_tail(case: Case) -> Forged:
    """The links are no matter of keys: only what the quorum executed tells."""
    entries = relinked(padded(case, spliced(case)), BRANCH + 2, is_sorted=True)
    told: dict[str, object] = {
        "kind": Kind.FORK,
        "height": BRANCH + 2,
        "check": "a quorum executed another block",
    }
    return case.forged(entries), case.genesis, told


def swapped_genesis(case: Case) -> Forged:
    other = replace(case.genesis, name="another")
    told: dict[str, object] = {
        "kind": Kind.GENESIS,
        "height": 0,
        "found": case.chain.chain_id.hex(),
    }
    return case.archive, other, told


def relabelled_genesis(case: Case) -> Forged:
    """The archive says it is of the chain that is trusted."""
    other = replace(case.genesis, name="another")
    path = case.forged(case.entries, chain_id=chain_id(other))
    told: dict[str, object] = {"kind": Kind.GENESIS, "height": 0, "check": "chain_id"}
    return path, other, told


def truncated(case: Case) -> Forged:
    """In the middle of a chunk: all before it can be read, nothing after."""
    with Archive.open(case.archive) as archive:
        chunk = archive._index[-1]
    path = case.folder / "cut"
    path.write_bytes(case.archive.read_bytes()[: chunk.offset + 100])
    return path, case.genesis, {"kind": Kind.TRUNCATED, "height": chunk.first}


FORGERIES: tuple[Forge, ...] = (
    *(signature, order, time, time_before, receipt, state, certificate, execution_certificate),
    *(validator_set, committee_table, contract_code, missing_block, missing_tail),
    *(forked_tail, relinked_tail, swapped_genesis, relabelled_genesis, truncated),
)


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forgery_is_named_exactly(case: Case, forge: Forge) -> None:
    path, genesis, told = forge(case)
    divergence = examined(path, genesis).divergence
    assert divergence is not None, "the forgery was not found"
    for field, value in told.items():
        found = getattr(divergence, field)
        if field in ("check", "key"):
            assert str(value) in found, divergence.sentence()
        else:
            assert found == value, divergence.sentence()
    if "transaction" not in told:
        assert divergence.transaction == "", divergence.sentence()


# --- a data directory, whose state can be compared key by key -----------------------------------


def altered_state(case: Case, namespace: str, key: bytes, value: bytes | None) -> Divergence:
    data = case.folder / "data"
    case.chain.forked(data).store.close()
    with plyvel.DB(str(data / LEDGER / "db"), bloom_filter_bits=10) as database:
        found = database.get(state_key(namespace, key))
        assert found is not None
        if value is None:
            database.delete(state_key(namespace, key))
        else:
            database.put(state_key(namespace, key), value)
    divergence = examined(data, case.genesis).divergence
    assert divergence is not None
    assert divergence.height == case.head
    return divergence


def test_an_altered_value_in_the_state_is_named_with_its_key(case: Case) -> None:
    key = next(k for n, k, _ in case.chain.store.iterate_state() if n == "evidence")
    value = case.chain.store.get("evidence", key)
    assert value is not None
    divergence = altered_state(case, "evidence", key, b"\x05")
    assert divergence.kind is Kind.STATE
    assert divergence.key.startswith("evidence/")
    assert divergence.found == "0x05"


def test_a_removed_value_is_named_with_its_key(case: Case) -> None:
    key = next(k for n, k, _ in case.chain.store.iterate_state() if n == "parties")
    divergence = altered_state(case, "parties", key, None)
    assert (divergence.kind, divergence.found) == (Kind.STATE, "nothing")
    assert divergence.key.startswith("parties/")


def test_altered_code_in_the_state_is_named_with_its_key(case: Case) -> None:
    divergence = altered_state(case, "code", b"notes/1", NOTES.replace("value", "wrong").encode())
    assert (divergence.kind, divergence.key) == (Kind.CONTRACT_CODE, "code/notes/1")


# --- any byte of any record ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_a_byte_altered_behind_good_digests_is_found_at_its_block(case: Case, seed: int) -> None:
    """Where the record still can be read, it is another one, and that is found, too."""
    draw = random.Random(seed)
    height = draw.randrange(1, len(case.entries))
    parts = [bytearray(encode(entry)) for entry in case.entries]
    parts[height][draw.randrange(len(parts[height]))] ^= 1 << draw.randrange(8)
    path = case.folder / "altered"
    with path.open("wb") as file:
        writer = ArchiveWriter(file)
        writer.begin(case.chain.chain_id, Part(0, case.head))
        for epoch in case.chain.store.epochs.decided[1:]:
            committee = ArchiveCommittee(epoch.base, epoch.validators)
            writer.add(FrameKind.COMMITTEE, encode(committee))
        chunk = ArchiveChunk(0, tuple(bytes(part) for part in parts))
        writer.add(FrameKind.BLOCKS, encode(chunk))
        writer.close()
    divergence = examined(path, case.genesis).divergence
    assert divergence is not None, f"byte of block {height}"
    assert divergence.height == height, divergence.sentence()
