"""Session: one account at a node, or at several. Most programs need nothing else."""

from __future__ import annotations

from client.account import Account
from client.build import VALID_HEIGHTS, build_transaction
from client.connection import Connection
from client.errors import Refused
from client.node import Outcome
from contracts.vm.codes import ADVICE
from ledger.model import Transaction
from ledger.values import Value

WAIT_S = 30.0
_ADVICE = {int(code): advice for code, advice in ADVICE.items()}  # a newer node may know more codes


class Session:
    """Calls and views of `account` at `node`."""

    def __init__(self, node: Connection, account: Account) -> None:
        self.node = node
        self.account = account

    def build(
        self, contract: str, method: str, *args: Value, gas_limit: int | None = None
    ) -> Transaction:
        """A signed transaction, not yet handed in; `gas_limit` is by default `client.gas`'s."""
        return build_transaction(
            self.account,
            chain_id=self.node.chain_id,
            valid_until=self.node.status().height + VALID_HEIGHTS,
            contract=contract,
            method=method,
            args=args,
            gas_limit=gas_limit,
        )

    def call(
        self,
        contract: str,
        method: str,
        *args: Value,
        gas_limit: int | None = None,
        timeout_s: float = WAIT_S,
    ) -> Outcome:
        """Calls, and waits until the outcome is certified by a quorum.

        Raises Refused with the receipt's error code and the contract's sentence when the
        contract refused; nothing was changed then.
        """
        transaction = self.build(contract, method, *args, gas_limit=gas_limit)
        outcome = self.node.wait(self.node.submit(transaction), timeout_s=timeout_s)
        if outcome.receipt.status != 0:
            receipt = outcome.receipt
            refusal = Refused(receipt.error, receipt.detail or _ADVICE.get(receipt.status, ""))
            refusal.asked = (contract, method, args)
            raise refusal
        return outcome

    def view(self, contract: str, method: str, *args: Value) -> Value:
        """Reads a view as this account. Raises Refused."""
        try:
            return self.node.view(self.account, contract, method, *args)
        except Refused as refusal:
            refusal.asked = (contract, method, args)
            raise
