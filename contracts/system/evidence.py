"""Evidence: durable, ordered, unalterable records of what happened (clauses 8.1.1, 8.1.4a).

Any active party records the SM3 digest of something it holds, under a kind that names one of the
four stages. The thing itself stays with the party; the block gives order and time (8.1.4e), the
transaction's signature the author. A record is never changed and never removed.

Where things come at high rates, one record speaks for many: its digest is the root of the list tree
over their digests, in order (the shape of RFC 6962, as `ledger.merkle`), and `holds` checks the way
from any of them up to it. What could be guessed, such as a name or a small number, is salted: the
digest is then SM3 over 32 random bytes, which stay with the thing, and the thing.

What named parties must be able to read from the chain itself is recorded sealed: the bytes under
the digest, encrypted with a key that is itself encrypted to a key of each (`client.sealed`).
The chain cannot look inside; who opens it compares with the digest.

Nodes put the heads of their access logs here each hour (8.6.2d to 8.6.5d): who rewrites a log
afterwards contradicts the chain.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    call,
    ctx,
    emit,
    fail,
    is_name,
    record,
    require,
    sm3,
    view,
    view_contract,
)

KINDS = (
    "aggregation.collected",  # what a supplier brought together (8.6.2c)
    "aggregation.quality",
    "authorization.agreement",  # what was signed (8.6.3c)
    "authorization.decision",
    "development.algorithm",  # what was built and run, and how (8.6.4c)
    "development.input_sent",  # 8.2.2d
    "development.process",
    "development.output_received",  # 8.2.5b
    "development.result",
    "delivery.diligence",  # how demand and risks were looked at before (6.5b)
    "delivery.agreement",  # what was sold, sent, received and settled (8.6.5c)
    "delivery.sent",
    "delivery.received",
    "delivery.settlement",
)
DIGEST_SIZE = 32  # bytes: SM3
NOTE_MAX = 1024  # characters
LOCATION_MAX = 512  # characters of where the thing is kept
BATCH_MAX = 1024 * 1024  # digests under one record: a path then has 20 siblings
PATH_MAX = 20
PAYLOAD_MAX = 32 * 1024  # bytes of what is sealed; larger things stay with their party
READERS_MAX = 16  # parties that can open it
WRAPPED_SIZE = 113  # bytes of a key of SM4 under SM2: C1 || C3 || C2
SALTINGS = ("plain", "salted")  # what the digest is over: the thing alone, or 32 random bytes first
PAGE_MAX = 100  # records in one answer


@record
class Evidence:
    """A record. `subject` is the id of what it is about; `size` is 0 unless it is a batch."""

    id: str
    kind: str
    subject: str
    digest: bytes  # of a batch the root
    note: str
    party: str
    account: str
    height: int
    time_ms: int
    tx_id: bytes
    size: int = 0  # digests under the root of a batch
    salting: str = "plain"
    location: str = ""  # where the thing is kept, for people
    previous: str = ""  # id of the record before about the subject


@record
class Sealed:
    """The bytes of a record, for the parties that can open them; not in `show`."""

    payload: bytes
    keys: list[tuple[str, bytes]]  # party, and the key to the payload under a key of that party


@record
class AccessAnchor:
    """A closed file of a node's access log: `head` speaks for the entries `first` to `last`."""

    account: str  # of the node, by its consensus key
    number: int  # of the file; each is above the one before
    first: int
    last: int
    head: bytes
    opened_ms: int  # by the node's clock
    height: int
    time_ms: int
    tx_id: bytes


records = Map(str, Evidence)
payloads = Map(str, Sealed)
record_by_subject = Map((str, int), str)
subject_count = Map(str, int)
recorded = Map((str, str, str), bool)  # kind, subject, party
access_anchors = Map((str, int), AccessAnchor)  # account, number
access_anchored = Map(str, int)  # account -> number of its last one


@call
def record_(evidence_id: str, kind: str, subject: str, digest: bytes, note: str) -> None:
    """A party puts the digest of something on record (8.1.1, 8.2.2d, 8.2.5b, 8.6.2c to 8.6.5c)."""
    enter(evidence_id, kind, subject, digest, 0, "plain", "", note)


@call
def record_batch(
    evidence_id: str,
    kind: str,
    subject: str,
    digest: bytes,
    size: int,
    salting: str,
    location: str,
    note: str,
) -> None:
    """A party puts the root over `size` digests on record at once (8.1.1, 8.1.4a)."""
    require(1 <= size <= BATCH_MAX, "evidence.size: a batch holds 1 to 1048576 digests")
    enter(evidence_id, kind, subject, digest, size, salting, location, note)


@call
def record_sealed(
    evidence_id: str,
    kind: str,
    subject: str,
    digest: bytes,
    location: str,
    note: str,
    payload: bytes,
    keys: list[tuple[str, bytes]],
) -> None:
    """A party puts a thing on record that only the parties it names can open (8.1.1, 8.1.4a)."""
    require(
        view_contract("feature", "is_on", "sealed_evidence", returns=bool),
        "evidence.off: the consortium keeps no payloads on chain; record the digest alone",
    )
    require(1 <= len(payload) <= PAYLOAD_MAX, "evidence.payload: seal 1 to 32768 bytes")
    require(1 <= len(keys) <= READERS_MAX, "evidence.readers: seal it to 1 to 16 parties")
    readers: list[str] = []
    for reader, wrapped in keys:
        require(reader not in readers, "evidence.reader_twice: name each party once")
        is_active = view_contract("parties", "is_active", reader, returns=bool)
        require(is_active, "evidence.reader: each must be an active party")
        require(len(wrapped) == WRAPPED_SIZE, "evidence.key: a sealed key has 113 bytes")
        readers.append(reader)
    enter(evidence_id, kind, subject, digest, 0, "salted", location, note)
    payloads[evidence_id] = Sealed(payload, keys)
    emit("EvidenceSealed", evidence_id=evidence_id, readers=readers, payload_digest=sm3(payload))


@call
def anchor_access(number: int, first: int, last: int, head: bytes, opened_ms: int) -> None:
    """A node puts the head of a closed file of its access log on record (8.6.2d to 8.6.5d)."""
    speaker = view_contract("governance", "speaker_of", ctx.sender, returns=str)
    require(speaker != "", "evidence.anchor_role: sign as a node")
    newest = access_anchored.get(ctx.sender, 0)
    require(number > newest, "evidence.anchor_number: the log has later anchors already")
    require(1 <= first <= last, "evidence.anchor_span: a closed file has entries")
    require(len(head) == DIGEST_SIZE, "evidence.digest: use 32 bytes of SM3")
    require(opened_ms >= 0, "evidence.anchor_time: give Unix milliseconds")
    if newest > 0:
        before = access_anchors[ctx.sender, newest]
        require(first > before.last, "evidence.anchor_span: these entries are anchored already")
    access_anchors[ctx.sender, number] = AccessAnchor(
        account=ctx.sender,
        number=number,
        first=first,
        last=last,
        head=head,
        opened_ms=opened_ms,
        height=ctx.height,
        time_ms=ctx.time_ms,
        tx_id=ctx.tx_id,
    )
    access_anchored[ctx.sender] = number
    emit(
        "AccessAnchored",
        account=ctx.sender,
        speaker=speaker,
        number=number,
        first=first,
        last=last,
        head=head,
    )


@view
def show(evidence_id: str) -> Evidence:
    """One record."""
    require_party()
    return known(evidence_id)


@view
def sealed(evidence_id: str) -> Sealed:
    """What is sealed, for the party that recorded it and those that can open it."""
    reader = require_party()
    found = known(evidence_id)
    require(evidence_id in payloads, "evidence.unsealed: only its digest is on record")
    payload = payloads[evidence_id]
    named = [party for party, _key in payload.keys]
    require(
        reader == found.party or reader in named,
        "evidence.reader: only who recorded it and whom it is sealed to may fetch it",
    )
    return payload


@view
def list_by_subject(subject: str, offset: int, limit: int) -> list[Evidence]:
    """Records about `subject`, in the order in which they were made."""
    require_party()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "evidence.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, subject_count.get(subject, 0))
    return [records[record_by_subject[subject, number]] for number in range(offset, end)]


@view
def holds(evidence_id: str, index: int, digest: bytes, siblings: list[bytes]) -> bool:
    """Does the batch hold the digest at `index` (from 0)? `siblings` lead up to its root."""
    require_party()
    found = known(evidence_id)
    require(found.size > 0, "evidence.single: it is no batch; compare its digest itself")
    require(0 <= index < found.size, "evidence.index: the batch holds fewer; see `show`")
    require(len(digest) == DIGEST_SIZE, "evidence.digest: use 32 bytes of SM3")
    require(len(siblings) <= PATH_MAX, "evidence.path: no path has more than 20 siblings")
    node = sm3(b"\x00" + digest)
    position, width, used = index, found.size, 0
    while width > 1:
        other = position + 1 if position % 2 == 0 else position - 1
        if other < width:  # else an odd node, which rises unchanged
            require(used < len(siblings), "evidence.path: it has too few siblings")
            sibling = siblings[used]
            require(len(sibling) == DIGEST_SIZE, "evidence.path: a sibling has 32 bytes")
            node = sm3(b"\x01" + (node + sibling if position < other else sibling + node))
            used += 1
        position, width = position // 2, (width + 1) // 2
    require(used == len(siblings), "evidence.path: it has too many siblings")
    return node == found.digest


@view
def is_recorded(kind: str, subject: str, party_id: str) -> bool:
    """Did the party record evidence of this kind about the subject? Other contracts ask."""
    return recorded.get((kind, subject, party_id), False)


@view
def author_of(evidence_id: str) -> str:
    """The party that recorded it; for other contracts."""
    return known(evidence_id).party


@view
def access_anchor(account: str, number: int) -> AccessAnchor:
    """What is on record about a file of a node's access log."""
    require_party()
    require((account, number) in access_anchors, "evidence.anchor_unknown: it is not on record")
    return access_anchors[account, number]


def enter(
    evidence_id: str,
    kind: str,
    subject: str,
    digest: bytes,
    size: int,
    salting: str,
    location: str,
    note: str,
) -> None:
    party = require_party()
    require(is_name(evidence_id), "evidence.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(evidence_id not in records, "evidence.exists: a record never changes; use a new id")
    require(kind in KINDS, "evidence.kind: use STAGE.KIND, such as development.result")
    require(is_name(subject), "evidence.subject: give the id of what it is about")
    require(len(digest) == DIGEST_SIZE, "evidence.digest: use 32 bytes of SM3")
    require(salting in SALTINGS, "evidence.salting: use plain or salted")
    require(len(location) <= LOCATION_MAX, "evidence.location: use up to 512 characters")
    require(len(note) <= NOTE_MAX, "evidence.note: use up to 1024 characters")
    number = subject_count.get(subject, 0)
    records[evidence_id] = Evidence(
        id=evidence_id,
        kind=kind,
        subject=subject,
        digest=digest,
        note=note,
        party=party,
        account=ctx.sender,
        height=ctx.height,
        time_ms=ctx.time_ms,
        tx_id=ctx.tx_id,
        size=size,
        salting=salting,
        location=location,
        previous=record_by_subject.get((subject, number - 1), ""),
    )
    record_by_subject[subject, number] = evidence_id
    subject_count[subject] = number + 1
    recorded[kind, subject, party] = True
    emit(
        "EvidenceRecorded",
        evidence_id=evidence_id,
        kind=kind,
        subject=subject,
        digest=digest,
        size=size,
        party_id=party,
    )


def known(evidence_id: str) -> Evidence:
    found = records.get(evidence_id)
    if found is None:
        fail("evidence.unknown: no record has this id; look for it with `list_by_subject`")
    return found


def require_party() -> str:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "evidence.role: sign with an account of an active party")
    return party
