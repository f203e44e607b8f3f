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
        name="rental",
        chinese="群租房管理",
        title="norms of use to find dwellings let by bed, on generated data of three districts",
        appendix="A.1 (1)",
        module="scenarios.rental.run",
        needs=("numpy", "spu"),
    ),
    Scenario(
        name="insurance",
        chinese="智慧保险",
        title="joint claim statistics of three suppliers, by insurance plan",
        appendix="A.1 (2)",
        module="scenarios.insurance.run",
        needs=("numpy", "spu", "statsmodels"),
    ),
    Scenario(
        name="drug",
        chinese="AI+创新药",
        title="a drug developer's model judged against three hospitals, double blind",
        appendix="A.1 (3)",
        module="scenarios.drug.run",
        needs=("numpy", "spu", "statsmodels"),
    ),
    Scenario(
        name="trial",
        chinese="临床试验受试者匹配",
        title="patients of three hospitals who meet the criteria of a clinical trial",
        appendix="A.1 (4)",
        module="scenarios.trial.run",
        needs=("numpy", "spu", "statsmodels"),
    ),
    Scenario(
        name="marketing",
        chinese="市场精准营销",
        title="segments for a campaign, from joint counts of three platforms",
        appendix="A.1 (5)",
        module="scenarios.marketing.run",
        needs=("numpy", "spu", "statsmodels"),
    ),
    Scenario(
        name="credit",
        chinese="金融风控精准招商",
        title="a scorecard for loans to small firms of three districts, on generated data",
        appendix="A.1 (6)",
        module="scenarios.credit.run",
        needs=("numpy", "spu"),
    ),
)


def find(name: str) -> Scenario | None:
    """The scenario `name`, if there is one."""
    return next((scenario for scenario in SCENARIOS if scenario.name == name), None)
