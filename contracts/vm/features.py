"""The languages, by number, and what each added: a gate, so that a chain decides when it has it.

A chain names its language through its `vm_version`. Every language takes all that the ones before
it took, with the same meaning, results and gas: a contract that was compiled under one stays valid
under all later ones. So a feature says only from which language on it is there, and the compiler
asks `admit` wherever it meets one. The tables that a feature brings (guards, prices) are named
here as well: they count for the name of the languages that have it, and for no earlier one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.vm.rules import Findings

LATEST: Final = 3
LANGUAGES: Final = (1, 2, LATEST)


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that one language has and the one before it has not."""

    since: int  # the first language that has it
    what: str  # as an author would name it
    imports: frozenset[str] = frozenset()  # names of contracts.dialect that only it brings
    guards: frozenset[str] = frozenset()  # emitted names that only it uses
    prices: frozenset[str] = frozenset()  # names of contracts.vm.prices that only it uses
    limits: frozenset[str] = frozenset()  # the same for contracts.vm.limits
    rules: frozenset[str] = frozenset()  # ids of rules that only it can break


FEATURES: Final[dict[str, Feature]] = {
    "ctx_party": Feature(2, "ctx.party and ctx.roles"),
    "sorted_map": Feature(
        2,
        "SortedMap",
        imports=frozenset({"SortedMap"}),
        prices=frozenset({"GAS_SCAN", "GAS_SCAN_ITEM"}),
        limits=frozenset({"PAGE_LENGTH_MAX"}),
    ),
    # Nothing that an author writes: the machine runs what a joint account decided (joint.py).
    "joint_accounts": Feature(3, "accounts of several keys"),
}


class LanguageUnknown(ValueError):
    """This release has no such language: install one that has."""


def demand_language(language: int) -> int:
    """`language` itself. Raises LanguageUnknown unless this release has it."""
    if language not in LANGUAGES:
        known = ", ".join(map(str, LANGUAGES))
        raise LanguageUnknown(
            f"language {language} is not known, only {known}: install the chain's release"
        )
    return language


def later(language: int) -> Iterator[Feature]:
    """The features that `language` does not have."""
    return (feature for feature in FEATURES.values() if feature.since > language)


def has(language: int, name: str) -> bool:
    """Does `language` have the feature `name`?"""
    return FEATURES[name].since <= language


def admit(
    findings: Findings, language: int, name: str, node: ast.stmt | ast.expr | ast.keyword
) -> bool:
    """Like `has`, and N006 at `node` if the language does not have the feature."""
    if has(language, name):
        return True
    feature = FEATURES[name]
    reason = f"{feature.what}: from language {feature.since} on; this chain's is {language}"
    findings.at("N006", node, reason)
    return False


def feature_of_import(name: str) -> str | None:
    """The feature that brings `name` into contracts.dialect; None if it was always there."""
    for key, feature in FEATURES.items():
        if name in feature.imports:
            return key
    return None
