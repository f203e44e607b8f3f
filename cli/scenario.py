"""Scenarios of Appendix A (附录A 典型应用场景), end to end: run on a network, told, audited."""

from __future__ import annotations

import json
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
    answers: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="With --demo: write below this folder where the product comes from, as audited.",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Also write the record of every step here, as JSON."),
    ] = None,
) -> Answer:
    """Run a scenario and tell it stage by stage; --json prints the record of every step."""
    from scenarios.story import Silence, Story

    scenario = _known(name)
    if demo == (network is not None):
        raise typer.BadParameter("give either --network DIR or --demo")
    teller = Silence() if ask.json else Story(sys.stdout)
    if network is not None:
        fields = _on_network(scenario, network.resolve(), teller)
    else:
        fields = _demonstrate(ask, scenario, folder, nodes, answers, teller)
    if record is not None:
        record.write_text(json.dumps(fields, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return Fields(fields) if ask.json else None


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


def _on_network(scenario: Scenario, root: Path, teller: Story | Silence) -> dict[str, Json]:
    from cli.netfiles import load_plan

    plan = load_plan(root)
    _open(scenario, plan, teller, folder=str(root))
    run = _play(scenario, root, plan, teller)
    _tell_figures(run, teller)
    return record_fields(run)


def _demonstrate(
    ask: Invocation,
    scenario: Scenario,
    folder: Path | None,
    nodes: int,
    answers: Path | None,
    teller: Story | Silence,
) -> dict[str, Json]:
    """Everything from an empty folder to a verdict; nothing runs afterwards."""
    from cli.demonet import folder_for, running

    began = time.monotonic()
    with folder_for(folder) as root:
        with running(ask, root, nodes=nodes) as plan:
            _open(scenario, plan, teller, folder=str(root) if folder else "temporary")
            run = _play(scenario, root, plan, teller)
        _tell_figures(run, teller)
        verdicts = _audit(ask, root, plan)
        answered = None if answers is None else _answers(ask, root, plan, run, answers)
        seconds = round(time.monotonic() - began, 1)
        _tell_audit(verdicts, answered, seconds, teller)
        _require_intact(verdicts, run)
    audits: Json = {name: dict(verdict.values) for name, verdict in verdicts.items()}
    fields = {**record_fields(run), "audit": audits, "seconds": seconds}
    return fields if answered is None else {**fields, "answers": dict(answered.values)}


def _audit(ask: Invocation, root: Path, plan: NetworkPlan) -> dict[str, Fields]:
    """The verdict of `shuxin audit replay` on the ledger of every node."""
    from cli import audit

    verdicts: dict[str, Fields] = {}
    for entry in plan.nodes:
        data = root / "nodes" / entry.name / "data"
        verdict = audit.replay(ask, data, root / "genesis.json")
        assert isinstance(verdict, Fields)
        verdicts[entry.name] = verdict
    return verdicts


def _answers(
    ask: Invocation, root: Path, plan: NetworkPlan, run: RunRecord, folder: Path
) -> Fields:
    """What `shuxin audit report` says of the product, from the ledger of the first node."""
    from cli import audit

    data = root / "nodes" / plan.nodes[0].name / "data"
    product = dict(run.findings)["product"]
    output = folder / f"audit-{run.run_id}"
    answered = audit.report_acts(ask, data, output, root / "genesis.json", product=product)
    assert isinstance(answered, Fields)
    return answered


def _require_intact(verdicts: dict[str, Fields], run: RunRecord) -> None:
    for name, verdict in verdicts.items():
        if verdict.exit_code != DONE:
            raise CommandRefused("audit.diverges", f"{name}: {verdict.values['verdict']}")
        # An intact ledger that ends early, or elsewhere, is not what the nodes told the clients.
        if verdict.values["state_root"] != run.figures.state_root:
            raise CommandRefused("audit.diverges", f"{name}: another state than the node told")


def _play(scenario: Scenario, root: Path, plan: NetworkPlan, teller: Story | Silence) -> RunRecord:
    from scenarios.consortium import NodePlace, connected
    from scenarios.record import RunRecord

    nodes = [NodePlace(entry.name, entry.api) for entry in plan.nodes]
    with connected(root, nodes, plan.executors) as consortium:
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
        "measures": dict(record.measures),
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


def _tell_audit(
    verdicts: dict[str, Fields], answered: Fields | None, seconds: float, teller: Story | Silence
) -> None:
    from scenarios.story import Story

    if not isinstance(teller, Story):
        return
    lines = [("方法 method", "`shuxin audit replay` of every node's ledger, trusting genesis only")]
    for name, verdict in verdicts.items():
        values = verdict.values
        mark = "✓" if verdict.exit_code == DONE else "✗"
        lines += [
            (
                f"重放 {name}",
                f"{values['height']} blocks, {values['transactions']} transactions, "
                f"{values['signatures']} signatures in {values['seconds']} s, "
                f"state root {str(values['state_root'])[:16]}…",
            ),
            ("结论 verdict", f"{mark} {values['verdict']}"),
        ]
    if answered is not None:
        missing = answered.values["links_missing"]
        told = ", ".join(map(str, missing)) if isinstance(missing, list) else ""
        lines.append(("保管链 custody", f"of the product: {told or 'no link is missing'}"))
        against = answered.values["contradictions"]
        told = ", ".join(map(str, against)) if isinstance(against, list) else ""
        lines.append(("账册 books", told or "jobs, agreements and bills agree with the acts"))
        lines.append(("页面 page", str(answered.values["page"])))
    lines.append(("全程 whole", f"{seconds} s; the network is stopped, nothing is left running"))
    teller.closing("审计 Audit", lines)
