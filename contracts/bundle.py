"""The system contracts as a genesis takes them: names, packaged sources, arguments of their init.

`contracts.system` may import nothing but the dialect, so what reads its files stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

from contracts.parameters import PARAMETERS
from ledger.genesis import GenesisContract, GenesisParty, Limits
from ledger.model import ValidatorSet
from ledger.values import Value, encode_value


@dataclass(frozen=True, slots=True)
class GenesisAlgorithm:
    """An algorithm that the founders approve with the genesis (8.5c); digests are SM3."""

    id: str  # NAME/VERSION
    title: str
    kind: str  # mpc, psi, fl or tee
    parameters: tuple[tuple[str, str, str], ...]  # name, type, what it means
    location: str
    digest: bytes
    layout_digest: bytes


# Order of deployment: `parties` first, because the others ask it who a sender is.
SYSTEM_CONTRACTS = (
    "parties",
    "governance",
    "parameter",
    "feature",
    "policy",
    "proposal",
    "certificate",
    "identity",
    "accusation",
    "catalog",
    "quality",
    "demand",
    "algorithm",
    "preapproval",
    "grant",
    "queue",
    "step",
    "job",
    "task",
    "evidence",
    "product",
    "deidentification",
    "delivery",
    "agreement",
    "tariff",
    "billing",
    "payment",
    "rules",
    "multisig",
    "oversight",
    "admission",
    "holder",
    "asset",
    "commission",
    "risk",
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
    algorithms: Sequence[tuple[str, GenesisAlgorithm]] = (),
) -> tuple[GenesisContract, ...]:
    """The system contracts for a genesis with these first parties and this committee.

    `addresses` gives the multiaddr where a validator, by name, listens, as far as it is known;
    `roots` the root certificates (DER) by party; `algorithms` what may be run from the beginning,
    each with the tech provider that answers for it.
    """
    args = init_args(
        parties,
        validators=validators,
        limits=limits,
        addresses=addresses,
        roots=roots,
        algorithms=algorithms,
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
    algorithms: Sequence[tuple[str, GenesisAlgorithm]] = (),
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
        "parameter": [[[name, getattr(limits, name)] for name in PARAMETERS]],
        "identity": [[[party, root] for party, root in roots]],
        "algorithm": [[_agreed(provider, algorithm) for provider, algorithm in algorithms]],
    }


def founders(parties: Sequence[GenesisParty]) -> Value:
    """`parties` in the form that the init of the contract `parties` takes."""
    return [[party.id, party.name, list(party.roles), list(party.accounts)] for party in parties]


def _agreed(provider: str, algorithm: GenesisAlgorithm) -> Value:
    """The algorithm in the form that the init of the contract `algorithm` takes."""
    return [
        algorithm.id,
        algorithm.title,
        algorithm.kind,
        [list(parameter) for parameter in algorithm.parameters],
        provider,
        algorithm.location,
        algorithm.digest,
        algorithm.layout_digest,
    ]
