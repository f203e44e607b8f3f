"""The other side of `workloads.py`'s calls between contracts: it answers and does nothing."""

from __future__ import annotations

from contracts.dialect import call, view


@call
def touch(place: int) -> int:
    return place


@view
def look(place: int) -> int:
    return place
