"""Mutants of the contract machine: `python -m tests.mutation [--module NAME] ...`

What checks, compiles and verifies contracts is changed in small ways. A mutant's code takes the
place of the old in the functions themselves, so that everybody who imported them has it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FunctionType, ModuleType

import coverage

from tests.mutation.operators import Mutant, mutants
from tests.mutation.run import ROOT, add_options, run

MODULES = (
    *("verify", "compile", "source", "declare", "types", "body", "emit", "methods", "calls"),
    *("statements", "expressions", "operators", "comprehensions", "storage_ops", "keys"),
    *("widths", "pace", "style", "features", "rules"),
)
TESTS = (
    "tests/unit/test_vm_findings_golden.py",
    "tests/unit/test_vm_emitted_golden.py",
    "tests/unit/test_vm_types.py",
    "tests/unit/test_vm_source.py",
    "tests/unit/test_vm_widths.py",
    "tests/unit/test_vm_refusals.py",
    "tests/unit/test_vm_language.py",
    "tests/unit/test_vm_verify.py",
    "tests/unit/test_vm_features.py",
    "tests/unit/test_vm_pace.py",
    "tests/unit/test_vm_style.py",
    "tests/unit/test_gas_golden.py",
    "tests/unit/test_system_sources.py",
    "tests/unit/test_vm_prefetch.py",
    "tests/unit/test_vm_finding_ends.py",
    "tests/unit/test_vm_keys.py",
    "tests/unit/test_vm_sorted_map.py",
    "tests/unit/test_vm_many_items.py",
    "tests/sandbox/test_syntax_attacks.py",
    "tests/sandbox/test_value_attacks.py",
    "tests/sandbox/test_cross_contract_attacks.py",
)
SURVIVORS = Path(__file__).with_name("survivors.txt")


class MachineCode:
    """Modules of contracts/vm; a piece is a line of one."""

    cpu_seconds_max = 20
    seconds_max = 300

    def __init__(self, modules: list[str]) -> None:
        self.modules = modules
        self._reaching: dict[str, dict[int, list[int]]] = {}
        self._breadth: Counter[int] = Counter()

    def learn(self, count: int, run: Callable[[int], None]) -> None:
        paths = [str(_path(name)) for name in self.modules]
        measure = coverage.Coverage(data_file=None, include=paths, config_file=False)
        measure.start()
        for number in range(count):
            measure.switch_context(str(number))
            run(number)
        measure.stop()
        data = measure.get_data()
        for name in self.modules:
            lines = data.contexts_by_lineno(str(_path(name)))
            self._reaching[name] = {
                line: [int(context) for context in contexts if context]
                for line, contexts in lines.items()
            }
            for tests in self._reaching[name].values():
                self._breadth.update(tests)

    def reaching(self, mutant: Mutant) -> set[int]:
        lines = range(mutant.line, mutant.end + 1)
        return {test for line in lines for test in self._reaching[mutant.module].get(line, ())}

    def breadth(self, test: int) -> int:
        return self._breadth[test]

    def mutants(self) -> Iterable[Mutant]:
        for name in self.modules:
            yield from mutants(name, _path(name).read_text(encoding="ascii"))

    def install(self, mutant: Mutant) -> None:
        """Without its super() a method closes over nothing: that mutant is no code."""
        module = importlib.import_module(f"contracts.vm.{mutant.module}")
        code = mutant.code(str(_path(mutant.module)))
        _function(module, mutant.function.split(".")).__code__ = code


def _path(name: str) -> Path:
    return ROOT / "contracts/vm" / f"{name}.py"


def _function(module: ModuleType, path: list[str]) -> FunctionType:
    found: object = module
    for part in path:
        found = vars(found)[part]
    if isinstance(found, (classmethod, staticmethod, property)):
        found = found.fget if isinstance(found, property) else found.__func__
    found = getattr(found, "__wrapped__", found)
    assert isinstance(found, FunctionType)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--module", choices=MODULES, action="append", help="default: all")
    add_options(parser)
    options = parser.parse_args()
    modules = options.module or list(MODULES)
    files = [test for test in TESTS if (ROOT / test).exists()]
    return run(MachineCode(modules), files, SURVIVORS, modules=modules, options=options)


if __name__ == "__main__":
    sys.exit(main())
