"""An in-memory chain for unit tests of contracts: the real compiler and executor, in process.

Only the jail and the pipes are missing. Every call is a block of one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.vm.apply import Machine
from contracts.vm.code_records import CODE
from contracts.vm.codes import ViewRefused
from contracts.vm.engine_schedule import KEY, encode_schedule, founded
from contracts.vm.features import LATEST
from contracts.vm.limits import VIEW_GAS_MAX
from contracts.vm.messages import BlockContext, Call, Install, Query
from contracts.vm.ranges import Range, RangePage, page_in
from contracts.vm.state import StateKey
from contracts.vm.version import vm_version
from crypto import sm3
from ledger.model import Receipt, StateWrite
from ledger.values import Value, decode_value, encode_value

GAS_LIMIT = 50_000_000


class CallFailed(AssertionError):
    """A call that a test needs to succeed did not."""


def account(name: str) -> str:
    """A made-up account address, alike for equal names."""
    return sm3.digest(name.encode())[:20].hex()


class Chain:
    """Deploys, calls and asks contracts; keeps height and time.

    It runs on the engine of this release that has `language`. Raises LanguageUnknown.
    """

    def __init__(
        self, *, height: int = 1, time_ms: int = 1_700_000_000_000, language: int = LATEST
    ) -> None:
        self.height = height
        self.time_ms = time_ms
        engine = encode_schedule(founded(vm_version(language)))
        self.state: dict[StateKey, bytes] = {(CODE, KEY): engine}
        self.machine = Machine(self.fetch, self.scan, language)
        self._count = 0

    def deploy(self, name: str, source: str, args: Sequence[Value] = ()) -> Receipt:
        """Deploy as genesis does; `args` go to @init."""
        install = Install(name, source, encode_value(list(args)))
        receipts, writes = self.machine.apply_genesis(self.block_context(), [install])
        self._store(writes)
        return receipts[0]

    def call(
        self,
        sender: str,
        contract: str,
        method: str,
        *args: Value,
        gas_limit: int = GAS_LIMIT,
    ) -> Receipt:
        """One transaction in a block of its own."""
        return self.block([(sender, contract, method, args)], gas_limit=gas_limit)[0]

    def block(
        self,
        calls: Sequence[tuple[str, str, str, Sequence[Value]]],
        *,
        gas_limit: int = GAS_LIMIT,
    ) -> list[Receipt]:
        """Several transactions (sender, contract, method, args) in one block."""
        items = [
            self.transaction(sender, contract, method, args, gas_limit)
            for sender, contract, method, args in calls
        ]
        self.height += 1
        self.time_ms += 1
        receipts, writes = self.machine.apply_block(self.block_context(), items)
        self._store(writes)
        return receipts

    def transaction(
        self, sender: str, contract: str, method: str, args: Sequence[Value], gas_limit: int
    ) -> Call:
        self._count += 1
        transaction_id = sm3.digest(b"test" + self._count.to_bytes(8, "big"))
        encoded = encode_value(list(args))
        return Call(transaction_id, sender, contract, method, encoded, gas_limit)

    def must(self, sender: str, contract: str, method: str, *args: Value) -> Value:
        """A call that has to succeed; its decoded result."""
        receipt = self.call(sender, contract, method, *args)
        if receipt.status != 0:
            raise CallFailed(f"{contract}.{method}: {receipt.error}: {receipt.detail}")
        return decode_value(receipt.return_value)

    def view(self, sender: str, contract: str, method: str, *args: Value) -> Value:
        """The decoded answer of a @view. Raises ViewRefused."""
        query = Query(sender, contract, method, encode_value(list(args)), VIEW_GAS_MAX)
        answer = self.machine.view(self.block_context(), query)
        if answer.status != 0:
            raise ViewRefused(answer.status, answer.detail)
        return decode_value(answer.value)

    def events(self, receipt: Receipt) -> list[tuple[str, dict[str, Value]]]:
        """The receipt's events as (name, fields)."""
        return [
            (event.name, {key: decode_value(value) for key, value in event.fields})
            for event in receipt.events
        ]

    def advance(self, *, height: int = 0, time_ms: int = 0) -> None:
        """Let blocks and time pass."""
        self.height += height
        self.time_ms += time_ms

    def block_context(self) -> BlockContext:
        """The block that runs now."""
        return BlockContext(bytes(32), self.height, self.time_ms)

    def fetch(self, keys: Sequence[StateKey]) -> list[bytes | None]:
        """What the machine reads by key."""
        return [self.state.get(pair) for pair in keys]

    def scan(self, asked: Range) -> RangePage:
        """What the machine reads by range."""
        return page_in(self.state, asked)

    def _store(self, writes: Sequence[StateWrite]) -> None:
        for write in writes:
            if write.value is None:
                self.state.pop((write.namespace, write.key), None)
            else:
                self.state[write.namespace, write.key] = write.value
