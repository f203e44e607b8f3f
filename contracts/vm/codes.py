"""Outcomes of a transaction: status numbers and names of receipts.

Numbers are consensus rules: never renumber, only append. A code says what the kind of failure
is; `detail` is text of the contract's author (`require`, `fail`) or a fixed sentence of ours.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from crypto.errors import LibcryptoFault

# What this node, not the transaction, ran into: never a verdict, or nodes would disagree.
NODE_FAULTS: Final = (MemoryError, RecursionError, LibcryptoFault)


class Code(IntEnum):
    """The status of a receipt; its name is the receipt's `error` ("" for ok)."""

    ok = 0
    refused = 1  # require or fail
    out_of_gas = 2
    unknown_contract = 3
    unknown_method = 4
    bad_arguments = 5
    contract_frozen = 6
    contract_revoked = 7
    value_limit = 8  # a value, list, text, key, event or result beyond its bound
    depth_limit = 9  # contracts calling contracts too deep
    reentrancy = 10
    check_failed = 11  # source refused by contracts.vm.check
    not_allowed = 12
    arithmetic = 13  # beyond +-2**256, division by zero
    missing_key = 14  # absent storage or dict key
    bad_index = 15
    bad_value = 16  # text that is no number, bytes that are no UTF-8, empty min()
    read_only = 17  # a write, event or call inside a view
    bad_storage = 18  # a stored value does not fit the type that the code declares
    exists = 19  # contract name taken
    bad_sequence = 20  # upgrade with the wrong sequence number
    internal = 21  # compiled code failed in a way its types exclude: a bug worth reporting


ADVICE: Final[dict[Code, str]] = {
    Code.refused: "the contract's own rule refused; its reason is in the detail",
    Code.out_of_gas: "raise the gas limit or do less in one transaction",
    Code.unknown_contract: "list the deployed contracts and check the name",
    Code.unknown_method: "look the method up in the contract's ABI; views are not callable",
    Code.bad_arguments: "compare the arguments with the contract's ABI",
    Code.contract_frozen: "wait until the manager unfreezes the contract",
    Code.contract_revoked: "the contract is out of service for good; use its successor",
    Code.value_limit: "make the value smaller; docs list the bounds",
    Code.depth_limit: "let contracts call each other less deeply",
    Code.reentrancy: "do not call back into a contract that is still running",
    Code.check_failed: "run `shuxin contract check FILE` and fix its findings",
    Code.not_allowed: "ask a party with the required role to act",
    Code.arithmetic: "check the operands for zero and for their size",
    Code.missing_key: "test with `in` or read with get()",
    Code.bad_index: "check the index against len()",
    Code.bad_value: "check the form of the text or bytes first",
    Code.read_only: "call the method in a transaction instead of a view",
    Code.bad_storage: "migrate the stored values in @migrate of the upgrade",
    Code.exists: "choose another name or upgrade the contract",
    Code.bad_sequence: "look up the contract's sequence; an upgrade carries the next one",
    Code.internal: "report this contract to the maintainers",
}


class Stop(Exception):
    """Ends the running transaction with a code. Raised by guards and the executor only."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(code.name, detail)
        self.code = code
        self.detail = detail


class ViewRefused(Exception):
    """A view did not answer: `code` names why, `detail` is the contract's text."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = Code(status)
        self.code = self.status.name
        self.detail = detail
        super().__init__(f"{self.code}: {detail or ADVICE[self.status]}")


class OutOfGas(BaseException):
    """The meter is empty. A BaseException, so that no `except Exception` can swallow it."""
