"""The system contracts as a genesis takes them: names, packaged sources, arguments of their init.

`contracts.system` may import nothing but the dialect, so what reads its files stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from ledger.genesis import GenesisContract, GenesisParty
from ledger.values import Value, encode_value

# Order of deployment: `parties` first, because the others ask it who a sender is.
SYSTEM_CONTRACTS = (
    "parties",
    "catalog",
    "demand",
    "grant",
    "task",
    "evidence",
    "product",
    "delivery",
)


def system_sources() -> tuple[tuple[str, str], ...]:
    """(name, source text) of each system contract, in order of deployment."""
    folder = resources.files("contracts.system")
    return tuple(
        (name, folder.joinpath(f"{name}.py").read_text(encoding="ascii"))
        for name in SYSTEM_CONTRACTS
    )


def genesis_contracts(parties: Sequence[GenesisParty]) -> tuple[GenesisContract, ...]:
    """The system contracts for a genesis whose first parties are `parties`."""
    return tuple(
        GenesisContract(name=name, source=source, args=encode_value(_init_args(name, parties)))
        for name, source in system_sources()
    )


def founders(parties: Sequence[GenesisParty]) -> Value:
    """`parties` in the form that the init of the contract `parties` takes."""
    return [[party.id, party.name, list(party.roles), list(party.accounts)] for party in parties]


def _init_args(name: str, parties: Sequence[GenesisParty]) -> Value:
    return [founders(parties)] if name == "parties" else []
