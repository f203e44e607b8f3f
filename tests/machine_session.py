"""An account of the business as a client sees itself, without a network."""

from __future__ import annotations

from client.errors import Refused
from client.node import Outcome
from contracts.vm.codes import ViewRefused
from ledger.model import Transaction
from ledger.values import Value
from tests.business import Business
from tests.fake_session import FakeNode


class MachineSession:
    """An account of the business, named by --key, at a node without a network."""

    def __init__(self, business: Business, who: str) -> None:
        self._business = business
        self._who = who
        self.node = FakeNode()

    def call(
        self, contract: str, method: str, *args: Value, gas_limit: int | None = None
    ) -> Outcome:
        receipt = self._business.act(self._who, contract, method, *args)
        if receipt.status != 0:
            raise Refused(receipt.error, receipt.detail)
        return Outcome(Transaction(b"", b""), receipt, self._business.chain.height, 0, None)

    def view(self, contract: str, method: str, *args: Value) -> Value:
        try:
            return self._business.ask(self._who, contract, method, *args)
        except ViewRefused as refusal:
            raise Refused(refusal.code, refusal.detail) from None
