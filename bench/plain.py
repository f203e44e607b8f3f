"""The reference of `make bench-vm`: the same blocks in plain, unguarded CPython over a dict.

Same inputs and same outputs as the machine: verified transactions in; receipts, encoded events
and the block's writes in order out. Transactions are opened by the machine's own `call_of` (body
decoded, id and sender computed), and every argument, stored value and key is encoded or decoded
by msgspec. What it leaves out is what the machine adds: gas, bounds, checks of types and of
canonical form, contracts looked up and bound, undoing a failed transaction, the jail, the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bench.contracts import peer, workloads
from contracts.dialect import sm3
from contracts.vm.host import call_of
from contracts.vm.messages import Call
from ledger.model import Event, Receipt, StateWrite, Transaction

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode

CONTRACT = "work"


class Refused(Exception):
    """What `require` raises."""


class PlainChain:
    """State of one contract: canonical keys to canonical values."""

    def __init__(self) -> None:
        self.space: dict[bytes, bytes] = {}
        self.written: dict[bytes, bytes] = {}
        self.events: list[Event] = []
        self.sender = ""
        self._methods: dict[str, Callable[..., Any]] = {
            "join": self.join,
            "transfer": self.transfer,
            "empty": workloads.empty,
            "reads": self.reads,
            "writes": self.writes,
            "emits": self.emits,
            "digests": self.digests,
            "calls": self.calls,
            "views": self.views,
            # Pure methods: the contract's own source, imported as the Python that it also is.
            "loop": workloads.loop,
            "sum_loop": workloads.sum_loop,
            "while_loop": workloads.while_loop,
            "texts": workloads.texts,
        }

    def apply_block(
        self, transactions: Sequence[Transaction]
    ) -> tuple[list[Receipt], list[StateWrite]]:
        receipts = [self._transaction(call_of(transaction)) for transaction in transactions]
        self.space.update(self.written)
        writes = [StateWrite(CONTRACT, key, self.written[key]) for key in sorted(self.written)]
        self.written = {}
        return receipts, writes

    def _transaction(self, call: Call) -> Receipt:
        self.sender = call.sender
        self.events = []
        try:
            value = self._methods[call.method](*decode(call.arguments))
        except Refused as error:
            nothing = encode(None)
            return Receipt(call.transaction_id, 1, 0, (), nothing, "refused", str(error))
        events = tuple(self.events)
        return Receipt(call.transaction_id, 0, 0, events, encode(value), "", "")

    # --- workloads.py, by hand ------------------------------------------------------------------

    def _get(self, key: bytes, default: Any) -> Any:
        raw = self.written.get(key)
        if raw is None:
            raw = self.space.get(key)
        return default if raw is None else decode(raw)

    def join(self) -> None:
        self.written[encode(("members", self.sender))] = encode(True)
        self.written[encode(("balances", self.sender))] = encode(10**6)

    def transfer(self, to: str, amount: int) -> None:
        sender = self.sender
        if not self._get(encode(("members", sender)), False):
            raise Refused("transfer.member: join first")
        mine = encode(("balances", sender))
        have = self._get(mine, 0)
        if not 0 < amount <= have:
            raise Refused("transfer.insufficient: move 1 up to what you have")
        self.written[mine] = encode(have - amount)
        theirs = encode(("balances", to))
        self.written[theirs] = encode(self._get(theirs, 0) + amount)
        fields = (("source", encode(sender)), ("target", encode(to)), ("amount", encode(amount)))
        self.events.append(Event(CONTRACT, "Transfer", fields))

    def reads(self, first: int, count: int) -> None:
        for place in range(first, first + count):
            self._get(encode(("counters", place)), 0)

    def writes(self, count: int) -> None:
        for place in range(count):
            self.written[encode(("counters", place))] = encode(place)

    def emits(self, count: int) -> None:
        for place in range(count):
            self.events.append(Event(CONTRACT, "Seen", (("place", encode(place)),)))

    def digests(self, count: int) -> None:
        for _ in range(count):
            sm3(b"a message of no more than 55 bytes: one block of SM3")

    def calls(self, count: int) -> None:
        for place in range(count):
            peer.touch(place)

    def views(self, count: int) -> None:
        for place in range(count):
            peer.look(place)


class BareBank:
    """A transfer without any encoding, for scale: Python objects in two dicts."""

    def __init__(self) -> None:
        self.members: dict[str, bool] = {}
        self.balances: dict[str, int] = {}
        self.events: list[tuple[str, str, str, int]] = []

    def transfer(self, sender: str, to: str, amount: int) -> None:
        if not self.members.get(sender, False):
            raise Refused
        have = self.balances.get(sender, 0)
        if not 0 < amount <= have:
            raise Refused
        self.balances[sender] = have - amount
        self.balances[to] = self.balances.get(to, 0) + amount
        self.events.append(("Transfer", sender, to, amount))
