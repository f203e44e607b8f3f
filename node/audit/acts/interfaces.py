"""Names of the arguments of every method, by the source that the chain ran at the time.

Sources come from the genesis and from the transactions that brought them; each counts from the
event on by which the machine said so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from contracts.vm.abi import extract
from contracts.vm.code_records import CONTRACT
from contracts.vm.rules import SourceRefused
from crypto import sm3
from ledger.genesis import Genesis
from ledger.values import Value
from node.audit.acts.values import octets, text

Methods: TypeAlias = Mapping[str, tuple[str, ...]]

# The machine's own contract has no source; docs of contracts.vm.lifecycle.
MACHINE: Final[Methods] = {
    "deploy": ("name", "source", "args"),
    "upgrade": ("name", "sequence", "source", "reason"),
    "revoke": ("name", "reason"),
    "approve": ("name", "sequence", "code_hash"),
    "withdraw": ("name", "sequence", "reason"),
    "reject": ("name", "sequence", "reason"),
    "freeze": ("name", "reason"),
    "unfreeze": ("name",),
    "set_policy": ("step", "groups", "parties_min", "organizations", "witnesses", "reason"),
    "approve_policy": ("rule_hash",),
    "reject_policy": ("reason",),
    "change_engine": ("vm_version", "from_height"),
    "cancel_engine": ("from_height",),
}
SOURCES_KEPT: Final = 64  # compiled for their names: a chain is read twice, and has few contracts
_BRINGING = {"deploy": "Deployed", "upgrade": "Upgraded"}


class Interfaces:
    """What each contract's methods call their arguments, as of the transaction that is read."""

    def __init__(self, genesis: Genesis) -> None:
        self._methods: dict[str, Methods] = {CONTRACT: MACHINE}
        self._brought: dict[bytes, Methods] = {}  # by hash of the source
        for contract in genesis.contracts:
            self._methods[contract.name] = methods_of(contract.source)

    def names(self, contract: str, method: str) -> tuple[str, ...]:
        """In order; none for a method that the contract has not."""
        return self._methods.get(contract, {}).get(method, ())

    def bring(self, arguments: Mapping[str, Value]) -> None:
        """A deployment or an upgrade that was accepted; it may wait for approvals."""
        source = text(arguments.get("source"))
        self._brought[sm3.digest(source.encode())] = methods_of(source)

    def follow(self, event: str, fields: Mapping[str, Value]) -> None:
        """An event of the machine's own contract."""
        if event in _BRINGING.values():
            methods = self._brought.get(octets(fields.get("code_hash")))
            if methods is not None:
                self._methods[text(fields.get("name"))] = methods


@lru_cache(maxsize=SOURCES_KEPT)
def methods_of(source: str) -> Methods:
    """Parameters of every method that is called; nothing of a source that no engine takes."""
    try:
        abi = json.loads(extract(source))
    except SourceRefused:
        return {}
    return {
        method["name"]: tuple(parameter["name"] for parameter in method["parameters"])
        for method in abi["methods"]
        if method["kind"] == "call"
    }


def paired(names: Sequence[str], values: Sequence[Value]) -> tuple[tuple[str, Value], ...]:
    """Each value with its argument's name; one too many, or of no known method, has its place."""
    places = (f"#{place}" for place in range(len(names), len(values)))
    return tuple(zip((*names[: len(values)], *places), values, strict=True))
