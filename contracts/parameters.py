"""What a node reads of the contract `parameter` from state, without running the VM.

As contracts.registry does for `governance`: the contract (contracts/system/parameter.py) declares
the variable; here its stored form is read. The terms say which figures hold at which heights, from
the state's own on; those before are in the states of their heights.
"""

from __future__ import annotations

import itertools
from typing import Final

from msgspec.structs import replace

from contracts.registry import RegistryDamaged
from contracts.vm.declare import Storage
from contracts.vm.engines import EngineFault
from contracts.vm.host import StateReader
from contracts.vm.keys import key_prefix
from contracts.vm.limits import STORED_VALUE_SIZE_MAX
from contracts.vm.types import STR
from ledger.encoding import decode
from ledger.errors import DecodeError
from ledger.genesis import Limits
from ledger.model import Height, Record

PARAMETER: Final = "parameter"  # the contract, and so the namespace of its state
# What of a genesis' limits may change, in the order that the contract keeps.
PARAMETERS: Final = (
    "transaction_size_max",
    "block_transactions_max",
    "block_size_max",
    "block_gas_max",
    "transaction_gas_max",
    "time_skew_ms_max",
    "heartbeat_ms",
)
_TERMS: Final = key_prefix(Storage("terms", (), STR, is_map=False))


class ParametersUnknown(EngineFault):
    """The chain goes by figures that this release does not know."""


class Term(Record):
    """From `from_height` on, until the next term, these figures hold."""

    from_height: Height
    values: tuple[tuple[str, int], ...]

    def limits(self, founded: Limits) -> Limits:
        """`founded`, the genesis', with the figures of this term. Raises ParametersUnknown."""
        unknown = sorted(name for name, _ in self.values if name not in PARAMETERS)
        if unknown:
            raise ParametersUnknown(
                f"from height {self.from_height} on this chain goes by {', '.join(unknown)}, which "
                "this release does not know: install one that does, and start the node again"
            )
        return replace(founded, **dict(self.values))


def terms_of(reader: StateReader) -> tuple[Term, ...]:
    """The term in force at the state's height, and those to come; none: the genesis holds.

    Raises RegistryDamaged.
    """
    raw = reader.get(PARAMETER, _TERMS)
    if raw is None:
        return ()
    try:
        terms = decode(raw, tuple[Term, ...], size_max=STORED_VALUE_SIZE_MAX)
    except DecodeError as error:
        raise RegistryDamaged(f"parameter: {error}; verify the ledger of this node") from None
    heights = [term.from_height for term in terms]
    if not all(one < other for one, other in itertools.pairwise(heights)):
        raise RegistryDamaged("parameter: terms out of order; verify the ledger of this node")
    return terms


def term_at(terms: tuple[Term, ...], height: int) -> Term | None:
    """The last term that begins at or below `height`; None: the genesis holds."""
    return next((term for term in reversed(terms) if term.from_height <= height), None)
