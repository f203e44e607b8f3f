"""Scenarios of Appendix A (附录A 典型应用场景), end to end: run on a network, told, audited."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Invocation, verb
from cli.output import DONE, Answer, CommandRefused, Fields, Json, Table

if TYPE_CHECKING:
    from cli.netfiles import NetworkPlan
    from scenarios.index import Scenario
    from scenarios.record import RunRecord, Step
    from scenarios.story import Silence, Story

app = typer.Typer()


@verb(app, "list")
def list_scenarios(ask: Invocation) -> Answer:
    """List the scenarios that can be run."""
    from scenarios.index import SCENARIOS

    return Table(
        ("name", "appendix", "chinese", "title"),
        [(known.name, known.appendix, known.chinese, known.title) for known in SCENARIOS],
    )


@verb(app, "run")
def run(
    ask: Invocation,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    network: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="A network that is up (`shuxin net up`)."),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Make a network, run on it, audit it, stop it.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option(help="With --demo: new folder to keep the network in; default temporary."),
    ] = None,
    nodes: Annotated[int, typer.Option(min=4, max=31, help="With --demo: validators.")] = 4,
) -> Answer:
    """Run a scenario and tell it stage by stage; --json prints the record of every step."""
    from scenarios.story import Silence, Story

    scenario = _known(name)
    if demo == (network is not None):
        raise typer.BadParameter("give either --network DIR or --demo")
    teller = Silence() if ask.json else Story(sys.stdout)
    if network is not None:
        return _on_network(ask, scenario, network.resolve(), teller)
    return _demonstrate(ask, scenario, folder, nodes, teller)


def _known(name: str) -> Scenario:
    from scenarios.index import SCENARIOS, find

    scenario = find(name)
    if scenario is None:
        names = ", ".join(known.name for known in SCENARIOS)
        raise CommandRefused("scenario.unknown", f"there is no scenario {name}; there is: {names}")
    missing = [package for package in scenario.needs if find_spec(package) is None]
    if missing:
        raise CommandRefused(
            "scenario.extras",
            f"{', '.join(missing)} is not installed: `make setup`, or install shuxin[executors]",
        )
    return scenario


def _on_network(ask: Invocation, scenario: Scenario, root: Path, teller: Story | Silence) -> Answer:
    from cli.netfiles import load_plan

    plan = load_plan(root)
    _open(scenario, plan, teller, folder=str(root))
    record = _play(scenario, root, plan, teller)
    _tell_figures(record, teller)
    if not ask.json:
        return None
    return Fields(record_fields(record))


def _demonstrate(
    ask: Invocation,
    scenario: Scenario,
    folder: Path | None,
    nodes: int,
    teller: Story | Silence,
) -> Answer:
    """Everything from an empty folder to a verdict; nothing runs afterwards."""
    from cli import audit
    from cli.demonet import folder_for, running

    began = time.monotonic()
    with folder_for(folder) as root:
        with running(ask, root, nodes=nodes) as plan:
            _open(scenario, plan, teller, folder=str(root) if folder else "temporary")
            record = _play(scenario, root, plan, teller)
        _tell_figures(record, teller)
        verdict = audit.replay(ask, root / "nodes" / plan.nodes[0].name, root / "genesis.json")
        assert isinstance(verdict, Fields)
        seconds = round(time.monotonic() - began, 1)
        _tell_audit(plan.nodes[0].name, verdict, seconds, teller)
        if verdict.exit_code != DONE:
            raise CommandRefused("audit.diverges", str(verdict.values["verdict"]))
    if not ask.json:
        return None
    return Fields(
        {**record_fields(record), "audit": dict(verdict.values), "seconds": seconds},
        exit_code=verdict.exit_code,
    )


def _play(scenario: Scenario, root: Path, plan: NetworkPlan, teller: Story | Silence) -> RunRecord:
    from scenarios.consortium import Consortium, NodePlace
    from scenarios.record import RunRecord

    nodes = [NodePlace(entry.name, entry.api) for entry in plan.nodes]
    with Consortium(root, nodes, plan.executors) as consortium:
        record = import_module(scenario.module).run(consortium, teller)
    assert isinstance(record, RunRecord)
    return record


def record_fields(record: RunRecord) -> dict[str, Json]:
    """The whole run for programs."""
    figures = record.figures
    return {
        "scenario": record.scenario,
        "run": record.run_id,
        "steps": [_step_fields(step) for step in record.steps],
        "tables": [
            {
                "title": table.title,
                "columns": [column.replace("\n", " ") for column in table.columns],
                "rows": [list(row) for row in table.rows],
            }
            for table in record.tables
        ],
        "figures": {
            "first_height": figures.first_height,
            "last_height": figures.last_height,
            "blocks": figures.blocks,
            "transactions": figures.transactions,
            "block_bytes": figures.block_bytes,
            "gas": figures.gas,
            "stage_ms": {stage.key: spent for stage, spent in figures.stage_ms},
            "nodes": figures.nodes,
            "state_root": figures.state_root,
        },
        "findings": dict(record.findings),
    }


def _step_fields(step: Step) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "number": step.number,
        "stage": step.stage.key,
        "kind": step.kind.value,
        "role": step.role,
        "party": step.party,
        "text": step.text,
        "term": step.term,
        "facts": dict(step.facts),
    }
    found = step.receipted
    if found is not None:
        fields |= {
            "call": found.call,
            "transaction": found.transaction,
            "height": found.height,
            "index": found.index,
            "gas": found.gas,
            "node": found.node,
            "milliseconds": found.milliseconds,
            "refused": {"code": found.refusal, "detail": found.advice} if found.refusal else None,
        }
    return fields


# --- told to people -------------------------------------------------------------------------


def _open(scenario: Scenario, plan: NetworkPlan, teller: Story | Silence, *, folder: str) -> None:
    from scenarios.story import Story

    if isinstance(teller, Story):
        teller.opening(
            f"数信 Shuxin · {scenario.chinese} {scenario.name} · {scenario.title}",
            [
                ("标准 standard", f"DB 31115/Z 040-2023, Appendix {scenario.appendix}"),
                (
                    "网络 network",
                    f"{len(plan.nodes)} nodes and {len(plan.executors)} executors, each a process "
                    f"of its own; folder: {folder}",
                ),
                ("链 chain id", f"{plan.chain_id[:16]}…"),
                ("图例 legend", "✓ transaction  ✗ refused, as it must be  ⚙ sent by an executor"),
            ],
        )


def _tell_figures(record: RunRecord, teller: Story | Silence) -> None:
    from scenarios.story import Story, figures_lines

    if isinstance(teller, Story):
        teller.closing("小结 Figures", figures_lines(record))


def _tell_audit(node: str, verdict: Fields, seconds: float, teller: Story | Silence) -> None:
    from scenarios.story import Story

    if not isinstance(teller, Story):
        return
    values = verdict.values
    mark = "✓" if verdict.exit_code == DONE else "✗"
    teller.closing(
        "审计 Audit",
        [
            (
                "方法 method",
                f"`shuxin audit replay` of the ledger of {node}, trusting genesis only",
            ),
            (
                "重放 replayed",
                f"{values['height']} blocks, {values['transactions']} transactions, "
                f"{values['signatures']} signatures in {values['seconds']} s",
            ),
            ("状态根 state root", f"{str(values['state_root'])[:16]}…"),
            ("结论 verdict", f"{mark} {values['verdict']}"),
            ("全程 whole", f"{seconds} s; the network is stopped, nothing is left running"),
        ],
    )
