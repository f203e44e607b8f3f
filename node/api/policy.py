"""What one node's operator takes away from callers: `[access]` in node.toml (8.1.7).

The chain says who has which level, and `levels` who may call what. Here a node lets in fewer: its
policy is asked beside both, never instead of them, so that no entry of it can open anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ledger.model import Address
from node.api.levels import LEVELS, Level

# Who has the first level has the second, too: node.api.standing gives them so, and a test holds it
# to that. An administrator is missing: the client interface knows none.
_CONTAINED: Final[Mapping[Level, frozenset[Level]]] = MappingProxyType(
    {
        Level.PUBLIC: frozenset({Level.PUBLIC}),
        Level.MEMBER: frozenset({Level.MEMBER, Level.PUBLIC}),
        Level.AUDITOR: frozenset({Level.AUDITOR, Level.MEMBER, Level.PUBLIC}),
        Level.OPERATOR: frozenset({Level.OPERATOR, Level.MEMBER, Level.PUBLIC}),
    }
)
DENIED_MAX: Final = 1_000  # accounts; who has more to fear closes methods to members
_METHODS: Final = MappingProxyType({full.rpartition("/")[2]: full for full in LEVELS})


class PolicyInvalid(ValueError):
    """An entry of a policy is not understood or would open something; says what to write."""


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """`methods` (full names) are for who has one of these levels, too; `denied` are strangers."""

    methods: Mapping[str, frozenset[Level]] = field(default_factory=lambda: MappingProxyType({}))
    denied: frozenset[Address] = frozenset()

    def lets_in(self, method: str, levels: frozenset[Level]) -> bool:
        """Whether this node has nothing against who has these levels."""
        wanted = self.methods.get(method)
        return wanted is None or bool(wanted & levels)


def method_named(name: str) -> str:
    """The full name of a method. Raises PolicyInvalid."""
    if name not in _METHODS:
        raise PolicyInvalid(f"is no method of a node; write one of {', '.join(sorted(_METHODS))}")
    return _METHODS[name]


def narrowed(method: str, names: Sequence[str]) -> frozenset[Level]:
    """The levels that a method (full name) is left to. Raises PolicyInvalid."""
    known = {level.value: level for level in _CONTAINED}
    if unknown := [name for name in names if name not in known]:
        raise PolicyInvalid(f"names {unknown[0]!r}, which is none of {', '.join(known)}")
    levels = frozenset(known[name] for name in names)
    allowed = LEVELS[method]
    for level in Level:
        if level in levels and not _CONTAINED[level] & allowed:
            wanted = ", ".join(one.value for one in Level if one in allowed)
            raise PolicyInvalid(
                f"would open the method to {level.value}, and it is for {wanted}: a node can "
                "let in fewer than its release does, never more"
            )
    return levels
