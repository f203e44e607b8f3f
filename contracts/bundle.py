"""The system contracts as a genesis takes them: names, packaged sources, arguments of their init.

`contracts.system` may import nothing but the dialect, so what reads its files stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from types import MappingProxyType

from ledger.genesis import GenesisContract, GenesisParty, Limits
from ledger.model import ValidatorSet
from ledger.values import Value, encode_value

# Order of deployment: `parties` first, because the others ask it who a sender is.
SYSTEM_CONTRACTS = (
    "parties",
    "governance",
    "proposal",
    "certificate",
    "identity",
    "accusation",
    "catalog",
    "demand",
    "grant",
    "task",
    "evidence",
    "product",
    "delivery",
    "agreement",
    "tariff",
    "billing",
    "rules",
    "multisig",
    "oversight",
    "alert",
    "incident",
    "inquiry",
    "evaluation",
)


def system_sources() -> tuple[tuple[str, str], ...]:
    """(name, source text) of each system contract, in order of deployment."""
    folder = resources.files("contracts.system")
    return tuple(
        (name, folder.joinpath(f"{name}.py").read_text(encoding="ascii"))
        for name in SYSTEM_CONTRACTS
    )


def genesis_contracts(
    parties: Sequence[GenesisParty],
    *,
    validators: ValidatorSet,
    limits: Limits,
    addresses: Mapping[str, str] = MappingProxyType({}),
    roots: Sequence[tuple[str, bytes]] = (),
) -> tuple[GenesisContract, ...]:
    """The system contracts for a genesis with these first parties and this committee.

    `addresses` gives the multiaddr where a validator, by name, listens, as far as it is known;
    `roots` the root certificates (DER) by party.
    """
    args = init_args(
        parties, validators=validators, limits=limits, addresses=addresses, roots=roots
    )
    return tuple(
        GenesisContract(name=name, source=source, args=encode_value(args.get(name, [])))
        for name, source in system_sources()
    )


def init_args(
    parties: Sequence[GenesisParty],
    *,
    validators: ValidatorSet,
    limits: Limits,
    addresses: Mapping[str, str] = MappingProxyType({}),
    roots: Sequence[tuple[str, bytes]] = (),
) -> dict[str, list[Value]]:
    """What the inits of the system contracts take, by contract; the others take nothing."""
    members: list[Value] = [
        [
            member.name,
            member.party,
            member.public_key,
            member.peer_id,
            addresses.get(member.name, ""),
        ]
        for member in validators.validators
    ]
    return {
        "parties": [founders(parties)],
        "governance": [members, limits.watermark_window],
        "identity": [[[party, root] for party, root in roots]],
    }


def founders(parties: Sequence[GenesisParty]) -> Value:
    """`parties` in the form that the init of the contract `parties` takes."""
    return [[party.id, party.name, list(party.roles), list(party.accounts)] for party in parties]
