"""Acting and telling: what is not as foreseen stops a run; what is told is aligned and complete."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from rich.cells import cell_len

from cli.main import main
from client.status import NodeStatus
from contracts.vm.testing import Chain
from ledger.values import Value
from scenarios.answers import field, list_of, record_of
from scenarios.consortium import Consortium, NodePlace
from scenarios.index import SCENARIOS, Scenario
from scenarios.record import (
    Figures,
    Kind,
    Receipted,
    RunRecord,
    ScenarioFailed,
    Stage,
    Step,
    TableRecord,
)
from scenarios.script import Script, Told, read_refusal
from scenarios.story import WIDTH, Story, figures_lines
from tests import business
from tests.scenario_world import ChainNode, Listener, consortium

FILE = "demand.file"
DEMAND: tuple[Value, ...] = ("d1", *business.DEMAND)
TOLD = Told("files a demand", "数据需求")


@pytest.fixture
def world(tmp_path: Path) -> Consortium:
    return consortium(tmp_path)


def script_of(world: Consortium, listener: Listener) -> Script:
    return Script("test", "r1", world, listener)


def test_a_call_becomes_a_step_that_can_be_found_on_the_chain(world: Consortium) -> None:
    listener = Listener()
    script = script_of(world, listener)
    with script.during(Stage.AGGREGATION):
        outcome = script.call(world.one("consumer"), TOLD, FILE, *DEMAND)
    step = listener.steps[0]
    assert (step.number, step.kind, step.party, step.term) == (1, Kind.CALL, "consumer", "数据需求")
    assert step.receipted is not None
    assert step.receipted.transaction == outcome.receipt.transaction_id.hex()
    assert step.receipted.height == outcome.height
    assert step.receipted.gas > 0
    assert listener.stages == [Stage.AGGREGATION]


class Lagging(ChainNode):
    """A node whose blocks come late: it has shown `late` statuses before it is up to date."""

    def __init__(self, chain: Chain, late: int) -> None:
        super().__init__(chain)
        self.late = late

    def status(self) -> NodeStatus:
        self.late -= 1
        found = super().status()
        return (
            found
            if self.late < 0
            else dataclasses.replace(found, certified_height=found.height - 1)
        )


def with_a_lagging_node(world: Consortium, late: int) -> tuple[Consortium, Lagging]:
    node = world.clients[0]
    assert isinstance(node, ChainNode)
    lagging = Lagging(node.chain, late)
    nodes = (*world.nodes, NodePlace("node1", ""))
    return dataclasses.replace(world, nodes=nodes, clients=(node, lagging)), lagging


def test_a_call_is_over_when_every_node_has_its_block(world: Consortium) -> None:
    """Another party reads at another node, and must not find less."""
    wider, lagging = with_a_lagging_node(world, late=2)
    script_of(wider, Listener()).call(world.one("consumer"), TOLD, FILE, *DEMAND)
    assert lagging.late < 0


def test_a_node_that_stays_behind_stops_the_run_by_its_name(
    world: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenarios.script.FOLLOW_TIMEOUT_S", 0.0)
    wider, _lagging = with_a_lagging_node(world, late=1_000)
    with pytest.raises(ScenarioFailed, match="node1 did not reach block"):
        script_of(wider, Listener()).call(world.one("consumer"), TOLD, FILE, *DEMAND)


def test_a_call_that_is_refused_stops_the_run_and_says_why(world: Consortium) -> None:
    listener = Listener()
    with pytest.raises(ScenarioFailed, match="demand.role: sign with an account"):
        script_of(world, listener).call(world.one("manager"), TOLD, FILE, *DEMAND)
    assert listener.steps == []


def test_what_must_be_refused_and_is_not_stops_the_run(world: Consortium) -> None:
    consumer = world.one("consumer")
    with pytest.raises(ScenarioFailed, match="must be refused with demand.role, not success"):
        script_of(world, Listener()).refused(consumer, TOLD, FILE, *DEMAND, code="demand.role")


def test_what_is_refused_for_another_reason_stops_the_run(world: Consortium) -> None:
    with pytest.raises(ScenarioFailed, match="not demand.role"):
        script_of(world, Listener()).refused(
            world.one("manager"), TOLD, FILE, *DEMAND, code="demand.exists"
        )


def test_a_refusal_is_recorded_with_code_and_advice(world: Consortium) -> None:
    listener = Listener()
    script_of(world, listener).refused(
        world.one("manager"), TOLD, FILE, *DEMAND, code="demand.role"
    )
    step = listener.steps[0]
    assert step.kind is Kind.REFUSAL
    assert step.receipted is not None
    assert step.receipted.refusal == "demand.role"
    assert step.receipted.advice.startswith("sign with")


@pytest.mark.parametrize(
    ("error", "detail", "expected"),
    [
        ("refused", "grant.role: sign: now", ("grant.role", "sign: now")),
        ("refused", "no code at all", ("refused", "no code at all")),
        ("refused", "two words: then more", ("refused", "two words: then more")),
        ("out_of_gas", "", ("out_of_gas", "")),
    ],
)
def test_refusals_are_read_as_code_and_advice(
    error: str, detail: str, expected: tuple[str, str]
) -> None:
    assert read_refusal(error, detail) == expected


def test_answers_of_another_kind_are_told_as_such() -> None:
    with pytest.raises(ScenarioFailed, match="did not answer with a record"):
        record_of([1])
    with pytest.raises(ScenarioFailed, match="a list"):
        list_of("text")
    with pytest.raises(ScenarioFailed, match="count as int"):
        field({"count": True}, "count", int)
    with pytest.raises(ScenarioFailed, match="name as str"):
        field({}, "name", str)


def test_a_role_that_nobody_has_is_named(world: Consortium) -> None:
    with pytest.raises(ScenarioFailed, match="no party with the role developer"):
        world.all("developer")


def test_a_party_without_an_executor_is_named(world: Consortium) -> None:
    with pytest.raises(ScenarioFailed, match="consumer has no executor"):
        world.executor_home("consumer")


# --- telling ---------------------------------------------------------------------------------


def told(*, refusal: str = "") -> Step:
    receipted = Receipted(
        call="catalog.register",
        transaction="ab" * 32,
        height=12,
        index=0,
        gas=41_203,
        node="node2",
        milliseconds=420,
        refusal=refusal,
        advice="do this next" if refusal else "",
    )
    return Step(
        number=7,
        stage=Stage.AGGREGATION,
        kind=Kind.REFUSAL if refusal else Kind.CALL,
        role="supplier",
        party="supplier-a",
        text="registers its data set",
        term="数据目录登记",
        receipted=receipted,
        facts=(("rows", "8,498"),),
    )


def told_text(*steps: Step, tables: tuple[TableRecord, ...] = ()) -> str:
    out = io.StringIO()
    story = Story(out)
    story.stage(Stage.AGGREGATION)
    for step in steps:
        story.step(step)
    for table in tables:
        story.table(table)
    return out.getvalue()


def test_a_step_tells_who_what_where_and_at_what_cost() -> None:
    text = told_text(told())
    for part in (
        "汇聚 Aggregation",
        "数据提供方 supplier-a",
        "registers its data set (数据目录登记)",
        "rows 8,498",
        "catalog.register tx abababab block   12 gas  41,203  0.42 s node2",
    ):
        assert part in text


def test_a_refusal_tells_its_code_and_what_to_do() -> None:
    assert "refused: grant.role: do this next" in told_text(told(refusal="grant.role"))


def test_a_step_of_an_executor_is_told_as_the_executors() -> None:
    step = told()
    seen = Step(
        number=step.number,
        stage=step.stage,
        kind=Kind.EXECUTOR,
        role=step.role,
        party=step.party,
        text=step.text,
        term=step.term,
        receipted=step.receipted,
        facts=(),
    )
    assert "执行器 supplier-a" in told_text(seen)


def test_columns_are_aligned_by_display_width() -> None:
    table = TableRecord(
        title="表 table",
        columns=("计划\nplan", "人年\nyears"),
        rows=(("全额赔付 free", "6,822"), ("25", "41")),
    )
    lines = told_text(tables=(table,)).splitlines()
    ends = {cell_len(line) for line in lines if line.endswith(("6,822", "41", "years", "人年"))}
    assert len(ends) == 1


def test_no_line_is_wider_than_the_page_or_ends_in_blanks() -> None:
    long_refusal = told(refusal="task." + "very_" * 40 + "long")
    for line in told_text(told(), long_refusal).splitlines():
        assert cell_len(line) <= WIDTH
        assert line == line.rstrip()


def test_text_from_the_chain_cannot_drive_the_terminal() -> None:
    step = told(refusal="grant.role\x1b[2J\x07")
    assert "\x1b" not in told_text(step)
    assert "\x07" not in told_text(step)


def test_the_figures_count_steps_by_kind_and_time_by_stage() -> None:
    record = RunRecord(
        scenario="test",
        run_id="r1",
        steps=(told(), told(refusal="grant.role")),
        tables=(),
        figures=Figures(
            first_height=3,
            last_height=7,
            transactions=6,
            block_bytes=12_345,
            gas=82_406,
            stage_ms=((Stage.AGGREGATION, 1500), (Stage.DELIVERY, 500)),
            nodes=4,
            state_root="cd" * 32,
        ),
        findings=(("protection", "ABY3"),),
        measures=(),
    )
    lines = dict(figures_lines(record))
    assert lines["步骤 steps"].startswith("2: 1 calls, 0 by executors, 1 refused")
    assert lines["区块 blocks"].startswith("5 (3 to 7), 6 transactions, 12,345 bytes")
    assert lines["用时 time"] == "汇聚 1.5 s, 交付 0.5 s; 2.0 s in all"
    assert lines["保护 protection"] == "ABY3"


# --- the command -----------------------------------------------------------------------------


def test_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "list"]) == 0
    assert "insurance" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "nonsense", "--demo"], 1, "scenario.unknown"),
        (["run", "insurance"], 2, "--network DIR or --demo"),
        (["run", "insurance", "--demo", "--network", "."], 2, "--network DIR or --demo"),
        (["run", "insurance", "--network", "/nonexistent"], 2, "does not exist"),
        (["run", "insurance", "--demo", "--nodes", "3"], 2, "--nodes"),
    ],
)
def test_a_misused_command_says_so(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scenario", *arguments]) == code
    assert said in capsys.readouterr().err


def test_a_folder_without_a_network_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scenario", "run", "insurance", "--network", str(tmp_path)]) == 1
    assert "net.missing" in capsys.readouterr().err


def test_a_demonstration_does_not_write_into_a_used_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "something").write_text("here")
    assert main(["scenario", "run", "insurance", "--demo", "--folder", str(tmp_path)]) == 1
    assert "net.exists" in capsys.readouterr().err


@pytest.mark.parametrize("known", SCENARIOS, ids=lambda known: known.name)
def test_the_page_has_every_scenario_and_says_what_is_generated(known: Scenario) -> None:
    page = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{known.name}` |")]
    number = known.appendix.removeprefix("A.1 (").removesuffix(")")
    assert f"| {number} " in row
    assert ("generated" in row) == ("generated" in known.title)
