"""Seeded generators: equal seeds give equal draws on every version of CPython."""

from __future__ import annotations

import random


def generator(purpose: str, number: int) -> random.Random:
    """One generator for each purpose and number (seeded by text, so not by a hash)."""
    return random.Random(f"{purpose} {number}")
