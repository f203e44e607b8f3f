"""The terms of a grant (授权条款) as they are signed: canonical text and its SM3.

The same text that the contract `grant` makes, so that whoever signs can read the terms from the
answer of a node and sign the digest of what it read, not one that it was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crypto import sm3
from ledger.values import Key, Value

LISTS: Final = ("datasets", "algorithms", "outputs", "permissions", "prohibitions", "duties")


class TermsUnreadable(Exception):
    """A node answered with something that is no grant."""


def terms_text(grant: Mapping[Key, Value], chain_id: bytes) -> str:
    """The canonical terms of a grant as `grant.show` answers it. Raises TermsUnreadable."""
    scenario = text_of(grant, "scenario")
    lines = [
        "shuxin grant 1",
        f"chain {chain_id.hex()}",
        f"grant {text_of(grant, 'id')}",
        f"demand {text_of(grant, 'demand_id')}",
        f"consumer {text_of(grant, 'consumer')}",
        f"operator {text_of(grant, 'operator')}",
        f"scenario {len(scenario)} {scenario}",
        f"window {number_of(grant, 'from_ms')} {number_of(grant, 'expires_ms')}",
        f"uses {number_of(grant, 'uses_max')}",
        f"assurance {text_of(grant, 'assurance')}",
        f"channel {text_of(grant, 'channel_id')}",
    ]
    for name in LISTS:
        items = texts_of(grant, name)
        lines.append(f"{name} {len(items)}")
        lines.extend(f"{len(item)} {item}" for item in items)
    return "\n".join(lines)


def terms_digest(grant: Mapping[Key, Value], chain_id: bytes) -> bytes:
    """What manager and operator name when they sign. Raises TermsUnreadable."""
    return sm3.digest(terms_text(grant, chain_id).encode())


def text_of(grant: Mapping[Key, Value], name: str) -> str:
    """A text of the record. Raises TermsUnreadable; so do the next two."""
    value = grant.get(name)
    if not isinstance(value, str):
        raise TermsUnreadable(f"the answer of the node has no text {name}")
    return value


def number_of(grant: Mapping[Key, Value], name: str) -> int:
    value = grant.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TermsUnreadable(f"the answer of the node has no number {name}")
    return value


def texts_of(grant: Mapping[Key, Value], name: str) -> list[str]:
    value = grant.get(name)
    items = [item for item in value if isinstance(item, str)] if isinstance(value, list) else None
    if items is None or not isinstance(value, list) or len(items) != len(value):
        raise TermsUnreadable(f"the answer of the node has no list of texts {name}")
    return items
