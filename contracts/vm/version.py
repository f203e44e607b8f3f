"""The name of the engine and its rules: what the genesis says the chain runs on.

Gas, guards and bytecode depend on the compiler, its tables and CPython's minor version; nodes
that differ in any could disagree about a block, so a node refuses a chain of another version.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Final

from contracts.vm import limits, prices
from contracts.vm.codes import Code
from contracts.vm.guard_names import GUARDS
from contracts.vm.rules import RULES
from contracts.vm.verify import OPCODES
from crypto import sm3

_LANGUAGE = 1  # raise it when the meaning of accepted programs changes


def _constants(module: ModuleType) -> list[tuple[str, object]]:
    return sorted((name, value) for name, value in vars(module).items() if name.isupper())


def rules_hash() -> str:
    """SM3 over every table that decides acceptance, gas or outcome; 16 hex digits of it."""
    tables = (
        _constants(limits),
        _constants(prices),
        [(code.name, int(code)) for code in Code],
        sorted(RULES),
        sorted(GUARDS),
        sorted(OPCODES),
    )
    return sm3.digest(repr(tables).encode()).hex()[:16]


VM_VERSION: Final = (
    f"shuxin-vm/{_LANGUAGE}+cpython-{sys.version_info[0]}.{sys.version_info[1]}+{rules_hash()}"
)
