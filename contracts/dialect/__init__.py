"""All that a contract may import. Typed, so that mypy and editors understand a contract.

This is the vocabulary, not the machine: `contracts.vm` resolves these names statically and
compiles their use away. Storage and `ctx` exist only inside the VM; importing a contract as a
Python module gives its declarations, and touching storage there raises `OutsideVm`. Unit tests
run contracts in the real VM: the fixture `chain` of `contracts.kit.plugin`. GUIDE.md says what is
accepted.

Files: storage.py (Var, Map), context.py (ctx, require, emit, other contracts),
functions.py (pure host functions), declare.py (record and the method decorators).
"""

from __future__ import annotations

from contracts.dialect.context import (
    call_contract,
    ctx,
    emit,
    fail,
    require,
    view_contract,
)
from contracts.dialect.declare import call, init, migrate, record, replace, view
from contracts.dialect.functions import (
    from_hex,
    int_from_bytes,
    int_to_bytes,
    is_name,
    sm2_verify,
    sm3,
    to_hex,
)
from contracts.dialect.storage import Map, OutsideVm, SortedMap, Var

__all__ = [
    "Map",
    "OutsideVm",
    "SortedMap",
    "Var",
    "call",
    "call_contract",
    "ctx",
    "emit",
    "fail",
    "from_hex",
    "init",
    "int_from_bytes",
    "int_to_bytes",
    "is_name",
    "migrate",
    "record",
    "replace",
    "require",
    "sm2_verify",
    "sm3",
    "to_hex",
    "view",
    "view_contract",
]
