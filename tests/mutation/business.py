"""Mutants of the system contracts: `python -m tests.mutation.business [--contract NAME] ...`

Each system contract is changed in small ways (clauses.py), and unit tests and models say whether
they see it. A mutant is deployed in place of the contract whenever that is compiled: it bears the
name and the hash of the right one, so that nothing but what it does tells them apart.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from hypothesis import Phase, settings

from contracts.bundle import SYSTEM_CONTRACTS, system_sources
from contracts.vm import testing
from contracts.vm.apply import Machine
from contracts.vm.compile import Compiled, compile_source
from tests import business
from tests.mutation import clauses
from tests.mutation.operators import Mutant, mutants
from tests.mutation.run import ROOT, add_options, run

UNIT = ("tests/unit/test_system_*.py", "tests/unit/test_engine_schedule.py")
TABLES = ("bounds", "inner_guards", "pages", "readers", "roles", "writes")  # over all contracts
MODELS = ("tests/property/test_*_model.py",)
ELSEWHERE = (  # what these look at is the text, or nothing of the contracts
    "test_system_sources.py",
    "test_history_model.py",
)
SURVIVORS = Path(__file__).with_name("business_survivors.txt")
Piece = tuple[str, str]  # a contract and a function of it

_compiled: dict[str, Compiled] = {}  # by source; a mutant stands under the source it changes


class Workshop(Machine):
    """A machine that compiles each contract once for all tests."""

    def compile(self, source: str) -> Compiled:
        if source not in _compiled:
            return compile_source(source, self.language)
        return _compiled[source]


class Contracts:
    """The system contracts; a piece is a function of one."""

    cpu_seconds_max = 240
    seconds_max = 900

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.sources = dict(system_sources())
        self._reaching: dict[Piece, set[int]] = {}
        self._breadth: Counter[int] = Counter()

    def learn(self, count: int, run: Callable[[int], None]) -> None:
        pieces: dict[int, Piece] = {}
        for contract, source in self.sources.items():
            compiled = _compiled[source] = compile_source(source)
            for function, code in compiled.functions.items():
                pieces[id(code)] = (contract, function.removeprefix("__f_"))
        # Who edits a contract meanwhile does not change what is being tried.
        vars(business)["system_sources"] = lambda: tuple(self.sources.items())
        _deploy_anew()

        def watch(frame: FrameType, event: str, _argument: object) -> None:
            if event == "call" and id(frame.f_code) in pieces:
                seen.add(id(frame.f_code))

        seen: set[int] = set()
        for number in range(count):
            seen.clear()
            sys.setprofile(watch)
            try:
                run(number)
            finally:
                sys.setprofile(None)
            for found in seen:
                self._reaching.setdefault(pieces[found], set()).add(number)
            self._breadth[number] = len(seen)

    def reaching(self, mutant: Mutant) -> set[int]:
        if not _is_init(mutant):
            return self._reaching.get((mutant.module, mutant.function), set())
        # It ran when the contract was deployed, which tests share: all of them rest on it.
        found = [tests for (name, _), tests in self._reaching.items() if name == mutant.module]
        return set().union(*found)

    def breadth(self, test: int) -> int:
        return self._breadth[test]

    def mutants(self) -> Iterable[Mutant]:
        for name in self.names:
            yield from mutants(name, self.sources[name], clauses.changes)

    def install(self, mutant: Mutant) -> None:
        """Raises SourceRefused for one that is no contract any more."""
        source = self.sources[mutant.module]
        _compiled[source] = compile_source(changed(source, mutant))
        _deploy_anew()


def changed(source: str, mutant: Mutant) -> str:
    """The contract with the mutant's function in place of the right one."""
    node = mutant.node
    assert isinstance(node, ast.FunctionDef) and node.end_lineno is not None
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    lines = source.splitlines()
    mutant.make()
    ast.fix_missing_locations(node)
    text = [*lines[: first - 1], ast.unparse(node), *lines[node.end_lineno :]]
    return "\n".join(text) + "\n"


def _is_init(mutant: Mutant) -> bool:
    assert isinstance(mutant.node, ast.FunctionDef)
    return any(ast.unparse(one) == "init" for one in mutant.node.decorator_list)


def _deploy_anew() -> None:
    """Has tests forget the chains that they keep: what runs there was compiled before."""
    vars(testing)["Machine"] = Workshop
    for module in [one for name, one in sys.modules.items() if name.startswith("tests.")]:
        for found in vars(module).values():
            if "Chain" in str(getattr(found, "__annotations__", {}).get("return")):
                getattr(found, "cache_clear", bool)()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.business", description=__doc__)
    parser.add_argument(
        "--contract", choices=SYSTEM_CONTRACTS, action="append", help="default: all"
    )
    parser.add_argument(
        "--tests",
        choices=("own", "unit", "models", "both"),
        default="both",
        help="own: of the contract by name and the tables over all of them, the soonest answer",
    )
    add_options(parser)
    options = parser.parse_args()
    names = options.contract or list(SYSTEM_CONTRACTS)
    own = tuple(f"tests/unit/test_system_{name}*.py" for name in (*names, *TABLES))
    patterns = {"own": own, "unit": UNIT, "models": MODELS, "both": (*UNIT, *MODELS)}
    files = [
        str(path)
        for pattern in patterns[options.tests]
        for path in sorted(ROOT.glob(pattern))
        if path.name not in ELSEWHERE
    ]
    # That an example fails is enough: nobody reads a smaller one. And all mutants meet the same.
    settings.register_profile(
        "mutation", phases=[Phase.explicit, Phase.generate], derandomize=True, database=None
    )
    settings.load_profile("mutation")
    return run(Contracts(names), files, SURVIVORS, modules=names, options=options)


if __name__ == "__main__":
    sys.exit(main())
