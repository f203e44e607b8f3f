"""Which scenarios there are. Each entry names its module; it is imported only to be run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scenario:
    """`module` has `run(consortium, teller) -> RunRecord`; `needs` are importable packages."""

    name: str
    chinese: str
    title: str
    appendix: str
    module: str
    needs: tuple[str, ...]


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="insurance",
        chinese="智慧保险",
        title="joint claim statistics of three suppliers, by insurance plan",
        appendix="A.1 (2)",
        module="scenarios.insurance.run",
        needs=("numpy", "spu", "statsmodels"),
    ),
)


def find(name: str) -> Scenario | None:
    """The scenario `name`, if there is one."""
    return next((scenario for scenario in SCENARIOS if scenario.name == name), None)
