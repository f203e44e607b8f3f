"""The engines that this release can run, by the name that a chain knows them by (`vm_version`).

A chain names its engine in the genesis and changes it at a height (engine_schedule.py). Every node
has to run every height under the engine named for it, also years later: a node that joins, an
audit and a repair replay from the genesis. So this table only grows:

- A release that changes what decides acceptance, gas or outcome adds an engine and keeps those
  before it. A new feature of the language is a new language (features.py). Where a price or a
  limit changes, FORMER gets a line for each language that had the old figure. A limit that is
  checked by the parent, too, may rise but not fall: the parent goes by this release's.
- An engine of another CPython has another name, and needs that interpreter.
- An engine may be retired when no chain that the release is meant for ever ran on it, or all of
  them were refounded: a release without it can neither join such a chain nor audit it, and says
  so (`EngineUnknown`) before it executes anything.

A worker process is one engine: start.py puts its figures into the tables before the machine is
imported. What compiles or runs contracts in another process (`contract check`, tests) goes by the
tables of this release. Pure data; nothing is imported here that reads a figure when it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Final

from contracts.vm import limits, prices
from contracts.vm.version import VM_VERSION, VM_VERSIONS, vm_version

ENGINE_ARGUMENT: Final = "--engine"  # of contracts.vm.start, before the name
NAME_SIZE_MAX: Final = 128  # characters
_NAME = re.compile(r"shuxin-vm/([1-9][0-9]{0,5})\+cpython-[0-9]{1,2}\.[0-9]{1,3}\+[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Engine:
    """How to run what `vm_version` names."""

    vm_version: str
    language: int
    figures: Mapping[str, int]  # prices and limits that are not this release's, by name

    @property
    def arguments(self) -> tuple[str, ...]:
        """What tells contracts.vm.start to become this engine."""
        return (ENGINE_ARGUMENT, self.vm_version)

    def install(self) -> None:
        """Put the figures into the tables of this process, for good."""
        for name, figure in self.figures.items():
            setattr(_table(name), name, figure)


def _table(name: str) -> ModuleType:
    return prices if hasattr(prices, name) else limits


def former(language: int, figures: Mapping[str, int]) -> Engine:
    """An engine of earlier releases, which had these figures. Raises ValueError for no such one."""
    for name, figure in figures.items():
        present = getattr(_table(name), name, None)
        if present is None or figure == present:
            raise ValueError(f"{name} is no price or limit that has changed")
        if _table(name) is limits and figure > present:
            raise ValueError(f"{name} has fallen, and the parent would refuse what was valid")
    return Engine(vm_version(language, figures), language, MappingProxyType(dict(figures)))


# One line for each engine whose prices or limits have changed since: former(language, {NAME: old}).
FORMER: Final[tuple[Engine, ...]] = ()

_PRESENT = [Engine(name, number, MappingProxyType({})) for name, number in VM_VERSIONS.items()]
ENGINES: Final[Mapping[str, Engine]] = MappingProxyType(
    {engine.vm_version: engine for engine in (*FORMER, *_PRESENT)}
)
LATEST: Final = ENGINES[VM_VERSION]


class EngineFault(Exception):
    """This node cannot run a height; no verdict, and trying again does not help."""


class EngineUnknown(EngineFault):
    """This release does not have the engine that the chain runs on: install one that has.

    No fault of the contract worker, and nothing to try again: another release is needed.
    """

    def __init__(self, vm_version: str, where: str) -> None:
        """`where` begins the sentence: which chain, height or file names the engine."""
        super().__init__(
            f"{where} the engine {vm_version}, which this release does not have (it has "
            f"{', '.join(ENGINES)}): install a release that has it; nothing is lost"
        )
        self.vm_version = vm_version


def find(vm_version: str, *, where: str = "this names") -> Engine:
    """The engine of this name. Raises EngineUnknown."""
    engine = ENGINES.get(vm_version)
    if engine is None:
        raise EngineUnknown(vm_version[:NAME_SIZE_MAX], where)
    return engine


def language_of(vm_version: str) -> int | None:
    """The language of an engine, which this release need not have; None: it names no engine."""
    match = _NAME.fullmatch(vm_version)
    return None if match is None else int(match[1])
