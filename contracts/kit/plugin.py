"""The pytest plugin: the fixture `chain`, and what contracts spent and covered after the run.

Named by whoever wants it, in the `conftest.py` at the root of the tests or on the command line:

    pytest_plugins = ["contracts.kit.plugin"]
    pytest -p contracts.kit.plugin

Without its options it measures nothing, and the fixture runs what nodes run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # imported when the first test asks for a chain
    from contracts.kit.chain import KitChain
    from contracts.kit.usage import Ledger, Usage


class ContractsSeen:
    """The options of a run, and what it notes for them. Registered if there are any."""

    def __init__(self, config: pytest.Config) -> None:
        from contracts.kit.usage import Ledger

        self.ledger: Ledger = Ledger()
        self._only: list[str] = config.getoption("contract_only")
        self._gas: bool = config.getoption("contract_gas")
        self._coverage: bool = config.getoption("contract_coverage")
        self._min: float | None = config.getoption("contract_coverage_min")
        self._json: Path | None = config.getoption("contract_json")

    @property
    def usages(self) -> list[Usage]:
        """Those that were asked for."""
        return self.ledger.named(*self._only)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the JSON file, and fail a run that covers too little."""
        from contracts.kit.report import as_json

        if self._json is not None:
            self._json.write_text(json.dumps(as_json(self.usages), indent=1) + "\n")
        if self._complaint() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        from contracts.kit.report import coverage_table, gas_table, titled

        if self._gas:
            terminalreporter.section("gas of contracts by line")
            for title, usage in titled(self.usages):
                terminalreporter.write_line("\n".join([*gas_table(title, usage), ""]))
        if self._coverage or self._min is not None:
            terminalreporter.section("coverage of contracts")
            terminalreporter.write_line("\n".join(coverage_table(self.usages)))
        complaint = self._complaint()
        if complaint:
            terminalreporter.write_line(complaint, red=True)

    def _complaint(self) -> str:
        """Why the run fails for what it covers; empty if it does not."""
        from contracts.kit.usage import percent

        if self._min is None:
            return ""
        if not self.usages:
            return "FAIL no such contract was deployed through the fixture `chain`: none covered"
        covered = percent(self.usages)
        if covered >= self._min:
            return ""
        return f"FAIL {covered:.2f} % of the contracts is covered, not {self._min:g} %"


SEEN = pytest.StashKey[ContractsSeen]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contracts", "contracts of the fixture `chain`")
    group.addoption(
        "--contract-gas",
        action="store_true",
        help="Show each line of each deployed contract with its hits, gas and share.",
    )
    group.addoption(
        "--contract-coverage",
        action="store_true",
        help="Show which lines and ways of branches ran, and which never did.",
    )
    group.addoption(
        "--contract-coverage-min",
        type=float,
        metavar="N",
        help="Fail the run if less than N percent of lines and branches ran.",
    )
    group.addoption(
        "--contract-json", type=Path, metavar="FILE", help="Write gas and coverage to FILE."
    )
    group.addoption(
        "--contract-only",
        action="append",
        default=[],
        metavar="NAME",
        help="Look at this contract alone (may be repeated): leaves out stand-ins.",
    )


def pytest_configure(config: pytest.Config) -> None:
    shown = config.getoption("contract_gas") or config.getoption("contract_coverage")
    least, path = config.getoption("contract_coverage_min"), config.getoption("contract_json")
    if not shown and least is None and path is None:
        return
    if config.getoption("numprocesses", None):
        raise pytest.UsageError("contracts are measured in one process: leave out -n")
    seen = config.stash[SEEN] = ContractsSeen(config)
    config.pluginmanager.register(seen, "contracts-seen")


@pytest.fixture
def chain(request: pytest.FixtureRequest) -> KitChain:
    """An empty chain: deploy(), call(), must(), refusal(), view(), events(), parties()."""
    from contracts.kit.chain import KitChain

    seen = request.config.stash.get(SEEN, None)
    return KitChain(None if seen is None else seen.ledger)
