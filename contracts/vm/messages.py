"""What parent and worker say to each other: msgpack arrays, one per frame, tagged by kind."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from contracts.vm.ranges import Range, RangePage
from contracts.vm.rules import Finding
from ledger.model import Receipt, StateWrite


class Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=True):
    """Base of all messages."""


class BlockContext(msgspec.Struct, frozen=True, array_like=True):
    """What a contract may know of the block it runs in."""

    chain_id: bytes
    height: int
    time_ms: int


class Call(msgspec.Struct, frozen=True, array_like=True):
    """A transaction as the worker needs it: authenticated by the parent."""

    transaction_id: bytes
    sender: str
    contract: str
    method: str
    arguments: bytes
    gas_limit: int


class Query(msgspec.Struct, frozen=True, array_like=True):
    sender: str
    contract: str
    method: str
    arguments: bytes
    gas_limit: int


class Install(msgspec.Struct, frozen=True, array_like=True):
    """A contract that genesis deploys."""

    name: str
    source: str
    arguments: bytes


# --- parent to worker --------------------------------------------------------------------------


class ApplyBlock(Message, frozen=True):
    block: BlockContext
    calls: list[Call]


class ApplyGenesis(Message, frozen=True):
    block: BlockContext
    contracts: list[Install]
    vm_version: str


class AskView(Message, frozen=True):
    block: BlockContext
    query: Query


class AskCheck(Message, frozen=True):
    source: str


class AskAbi(Message, frozen=True):
    source: str


class Reset(Message, frozen=True):
    pass


class Answer(Message, frozen=True):
    """The values of the keys that the worker asked for, in their order.

    At least one; fewer than asked for when together they are too large for one frame.
    """

    values: list[bytes | None]


class RangeAnswer(Message, frozen=True):
    """The first entries of the range that the worker asked for."""

    page: RangePage


# --- worker to parent --------------------------------------------------------------------------


class Ready(Message, frozen=True):
    """The first message: which engine this is and which layers of the jail hold."""

    layers: list[str]
    refusal: str  # why the worker will not run; empty if it does
    vm_version: str


class Need(Message, frozen=True):
    """Keys to read from the state; the parent replies with an Answer."""

    keys: list[tuple[str, bytes]]


class NeedRange(Message, frozen=True):
    """A range to read from the state; the parent replies with a RangeAnswer."""

    range: Range


class Applied(Message, frozen=True):
    receipts: list[Receipt]
    writes: list[StateWrite]


class Viewed(Message, frozen=True):
    """A view's outcome: status and detail as in a receipt, and the encoded value."""

    status: int
    detail: str
    value: bytes
    gas_used: int


class Checked(Message, frozen=True):
    findings: list[Finding]


class Abi(Message, frozen=True):
    """JSON text, or the findings that forbid one."""

    text: str
    findings: list[Finding]


class Done(Message, frozen=True):
    pass


class Fault(Message, frozen=True):
    """The worker could not finish; it exits after this."""

    kind: str


Request: TypeAlias = (
    ApplyBlock | ApplyGenesis | AskView | AskCheck | AskAbi | Reset | Answer | RangeAnswer
)
Reply: TypeAlias = Ready | Need | NeedRange | Applied | Viewed | Checked | Abi | Done | Fault

request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
reply_decoder: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
encoder = msgspec.msgpack.Encoder()
