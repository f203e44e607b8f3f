"""The plot, in the words of the parties, and the run."""

from __future__ import annotations

from collections import Counter
from functools import partial

from executors.mpc.program import ALGORITHM, COUNT, SUM
from scenarios.consortium import Consortium
from scenarios.credit.data import (
    DISTRICTS,
    FIRMS,
    GRID,
    LOAN,
    OUTCOME,
    SEED,
    SOURCE,
    Firm,
    generate,
    sheet_of,
)
from scenarios.credit.program import program_for
from scenarios.credit.scorecard import derive, result_table
from scenarios.joint import Plot, play
from scenarios.record import RunRecord
from scenarios.response import tally_rows
from scenarios.script import Teller
from scenarios.stages.aggregation import Collection, Holding, Wanted
from scenarios.stages.authorization import Terms
from scenarios.stages.delivery import Agreed
from scenarios.stages.development import Made, Question

NAME = "credit"
GRADE = 3  # sensitive, were the firms real: loans and arrears of single firms
LIMITS = (
    "the rows are generated, and what bank and government know of one firm is not joined across "
    "them, for want of engines of private set intersection (隐私求交) and vertical federated "
    "learning (纵向联邦学习): each district platform already has both in one row"
)


def run(consortium: Consortium, teller: Teller) -> RunRecord:
    """Play the scenario on a running network. Raises ScenarioFailed or the errors of clients."""
    return play(plot(), consortium, teller)


def plot() -> Plot:
    """The scenario with its generated data."""
    districts = generate()
    cells = (firm.cell for firms in districts for firm in firms)
    return Plot(
        name=NAME,
        holding="firms",
        collection=_collection(districts),
        wanted=Wanted(
            title="小微企业信用评分卡 Scorecard for loans to small firms (on generated data)",
            kind="loans of small firms and what the government knows of each firm",
            purpose="To judge applications for loans to small firms, and to see which sectors grow",
            items=(
                "number of firms and their loans by sector, tax grade, arrears and outcome",
                "growth of revenue by the same",
                "a scorecard, and sectors side by side",
            ),
            prescreened="complete; counts only, no firms asked for",
            reviewed="lawful purpose; no firm can be found in what comes out",
        ),
        terms=Terms(
            scenario="SME credit: scorecard and investment promotion",
            algorithms=(ALGORITHM,),
            uses=2,
            days=30,
            grounds="counts by cell only; cells below 5 firms suppressed; rows not moved",
        ),
        question=Question(program_for, result_table, partial(derive, rows=tally_rows(GRID, cells))),
        made=Made(
            title="小微企业信用评分卡 Scorecard for loans to small firms (on generated data)",
            description="Joint counts of three districts, generated firms; a scorecard from them",
            assessment="counts of large groups; within the grant",
        ),
        agreed=Agreed(
            purpose="judging applications for loans; investment promotion",
            confidentiality="the consumer does not pass the scorecard on",
            price_fen=800_000,
            queries=(
                ("trade/B/none/overdue", "", COUNT),
                ("trade/B/none/repaid", LOAN, SUM),
                ("farming/B/none/repaid", LOAN, SUM),  # no such sector
            ),
        ),
        limits=LIMITS,
    )


def _collection(districts: tuple[tuple[Firm, ...], ...]) -> Collection:
    return Collection(
        origin=f"{SOURCE}; {FIRMS:,} firms from the seed {SEED.decode()!r}",
        preparation="Firms are generated district by district (按区生成)",
        description="GENERATED: loans of small firms and what the government knows of each firm",
        tag="generated-sme-loans",
        category="credit of enterprises",
        grade=GRADE,
        holdings=tuple(
            _holding(district, firms) for district, firms in zip(DISTRICTS, districts, strict=True)
        ),
    )


def _holding(district: str, firms: tuple[Firm, ...]) -> Holding:
    outcomes = Counter(firm.outcome for firm in firms)
    return Holding(
        sheet=sheet_of(firms),
        part=district,
        title=f"小微企业贷款（生成数据）GENERATED loans of small firms, {district}",
        quality={
            "generated": True,
            "rows_by_outcome": {outcome: outcomes[outcome] for outcome in OUTCOME.levels},
            "preprocessing": "none: drawn as they stand",
        },
    )
