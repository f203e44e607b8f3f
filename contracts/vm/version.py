"""The names of the engine and its rules: what a chain says it runs on, one per language.

Gas, guards and bytecode depend on the compiler, its tables and CPython's minor version; nodes
that differ in any could disagree about a block, so a node refuses a chain of another version.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set
from types import MappingProxyType, ModuleType
from typing import Final

from contracts.vm import limits, prices
from contracts.vm.codes import Code
from contracts.vm.features import FEATURES, LANGUAGES, LATEST, demand_language, later
from contracts.vm.guard_names import GUARDS
from contracts.vm.rules import RULES
from contracts.vm.verify import OPCODES
from crypto import sm3

_NO_FIGURES: Final[Mapping[str, int]] = MappingProxyType({})


def _constants(
    module: ModuleType, without: Set[str], figures: Mapping[str, int]
) -> list[tuple[str, object]]:
    return sorted(
        (name, figures.get(name, value))
        for name, value in vars(module).items()
        if name.isupper() and name not in without
    )


def rules_hash(language: int = LATEST, figures: Mapping[str, int] = _NO_FIGURES) -> str:
    """SM3 over every table that decides acceptance, gas or outcome; 16 hex digits of it.

    What a later language adds does not count: adding a language renames no earlier one. `figures`
    stand in place of the prices and limits of the same names.
    """
    absent = list(later(language))
    tables = (
        _constants(limits, {name for feature in absent for name in feature.limits}, figures),
        _constants(prices, {name for feature in absent for name in feature.prices}, figures),
        [(code.name, int(code)) for code in Code],
        sorted(
            rule
            for rule in RULES.keys() - {rule for feature in absent for rule in feature.rules}
            if not rule.startswith("W")  # warnings are for people and decide nothing
        ),
        sorted(GUARDS - {guard for feature in absent for guard in feature.guards}),
        sorted(OPCODES),
        sorted(name for name, feature in FEATURES.items() if feature.since <= language),
    )
    return sm3.digest(repr(tables).encode()).hex()[:16]


def vm_version(language: int, figures: Mapping[str, int] = _NO_FIGURES) -> str:
    """The name of the engine with `language` and `figures`. Raises LanguageUnknown."""
    major, minor = sys.version_info[:2]
    digest = rules_hash(demand_language(language), figures)
    return f"shuxin-vm/{language}+cpython-{major}.{minor}+{digest}"


VM_VERSIONS: Final = {vm_version(language): language for language in LANGUAGES}
VM_VERSION: Final = vm_version(LATEST)
