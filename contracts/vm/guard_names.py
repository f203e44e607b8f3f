"""The globals that compiled code may name, besides its own functions, storage and ctx."""

from __future__ import annotations

from contracts.vm.guards import make_guards
from contracts.vm.meter import Meter

CONTRACT_GUARDS = frozenset({"__emit", "__invoke"})  # bound per contract by instance.py
GUARDS = frozenset(make_guards(Meter())) | CONTRACT_GUARDS
