"""Inputs and effects of the replica: all that goes in, all that comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from consensus.pbft.messages import Message, SignedMessage
from ledger.model import (
    CommitCertificate,
    ExecutionCertificate,
    ExecutionStatement,
    Proposal,
    ValidatorSet,
)

TICK_MS = 100  # the driver steps a Tick this often; all time-outs below count ticks


@dataclass(frozen=True, slots=True)
class ReplicaConfig:
    """Alike on every replica but for `index`; comes from the chain, not from local files."""

    index: int  # own position in the committee
    validators: ValidatorSet
    chain_id: bytes
    base: int = 0  # this committee orders the heights above it: its epoch
    window: int = 32  # heights in flight above the stable checkpoint
    rotate_every: int = 64  # heights a primary proposes before the next one's turn
    transactions_max: int = 1000  # ids in a proposal
    timeout_ticks: int = 20  # 2 s without progress: suspect the primary
    timeout_ticks_max: int = 100  # doubling stops at 10 s, so that recovery never takes long


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the driver found on disk. A new node has head 0 and nothing else."""

    head: int = 0  # last block that is durable, not below the base of the epoch
    certified: ExecutionCertificate | None = None  # of the highest height without a gap below
    statements: tuple[ExecutionStatement, ...] = ()  # own, certified height + 1 to head
    records: tuple[bytes, ...] = ()  # the log, oldest first, torn tail cut off
    disowned: int = 0  # heights up to here get no statement: an earlier life signed another one
    last: int | None = None  # last height of the epoch, if the blocks up to the head decide it


# --- inputs ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick:
    """TICK_MS went by."""

    pending: bool  # a transaction that is not in flight waits, or a heartbeat is overdue
    withheld: bool = False  # one of them was passed over for too long


@dataclass(frozen=True, slots=True)
class BatchReady:
    """Our offer for the next height; ignored unless `can_propose` (we may have lost our turn).

    Without ids it is a heartbeat.
    """

    transaction_ids: tuple[bytes, ...]
    time_ms: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message whose signatures, outer and embedded, were all verified."""

    sender: int
    message: Message
    signature: bytes


@dataclass(frozen=True, slots=True)
class ProposalValidated:
    """Answer to Validate."""

    height: int
    digest: bytes
    ok: bool


@dataclass(frozen=True, slots=True)
class ProposalFetched:
    """Answer to FetchProposal; checked against the digest that was asked for."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Executed:
    """A delivered block was executed and is durable."""

    statement: ExecutionStatement
    last: int | None = None  # last height of the epoch, once a block has decided it


@dataclass(frozen=True, slots=True)
class Synced:
    """Block sync ended: blocks up to `height` are durable."""

    height: int
    certificate: ExecutionCertificate | None  # highest height with no uncertified one below
    statements: tuple[ExecutionStatement, ...] = ()  # own, above the certificate's height
    last: int | None = None  # last height of the epoch, once a block has decided it


Input = Tick | BatchReady | Received | ProposalValidated | ProposalFetched | Executed | Synced


# --- effects --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Persist:
    """Make `record` durable, with the bodies of `proposal` if given, before what follows."""

    record: bytes
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Sign, send to all others, and step back as Received from ourselves."""

    message: Message


@dataclass(frozen=True, slots=True)
class Send:
    """Sign and send to one peer."""

    to: int
    message: Message


@dataclass(frozen=True, slots=True)
class Validate:
    """Are all transactions at hand, signed, and (if fresh) within the bounds of time and size?"""

    proposal: Proposal
    digest: bytes
    holders: tuple[int, ...]  # who should have the bodies, ascending
    is_fresh: bool


@dataclass(frozen=True, slots=True)
class FetchProposal:
    """Ask `holders` for the proposal with this digest."""

    height: int
    digest: bytes
    holders: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Deliver:
    """Execute this next; the certificate is its ordering proof."""

    proposal: Proposal
    certificate: CommitCertificate


@dataclass(frozen=True, slots=True)
class Certify:
    """Store the execution certificate of a height that we executed alike."""

    certificate: ExecutionCertificate


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Install certified blocks up to `height`, then step Synced."""

    height: int
    certificate: ExecutionCertificate
    holders: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Accuse:
    """One validator signed two messages that no honest one signs both of."""

    first: SignedMessage
    second: SignedMessage


class HaltKind(Enum):
    """What is wrong decides what can be done about it."""

    DIVERGED = 1  # our state is not the quorum's; evidence: our statement, the certificate
    DAMAGED = 3  # what we hold contradicts itself: found here, never by consensus
    CONFLICT = 2  # certificates contradict each other: more than f replicas lie or forgot


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop: going on would make things worse. `evidence` holds encoded certificates."""

    kind: HaltKind
    reason: str
    evidence: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Retire:
    """The epoch is over: its last height is executed and certified. Another replica goes on."""

    certificate: ExecutionCertificate


Effect = (
    Persist
    | Broadcast
    | Send
    | Validate
    | FetchProposal
    | Deliver
    | Certify
    | CatchUp
    | Accuse
    | Halt
    | Retire
)
