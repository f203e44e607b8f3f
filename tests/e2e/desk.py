"""Somebody before the command line who can be any party, and the way of the data by commands."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from cli.main import main
from executors.mpc.program import decode_program
from tests.business import CERTIFICATE
from tests.e2e.harness import LocalNetwork
from tests.output_shares import sealed_shares

SUPPLIERS = ("supplier-a", "supplier-b", "supplier-c")
CLASS = "--category", "保险", "--grade", "3", "--update-days", "30"
ROWS = "--row-count", "9", "--quality", "completeness=100", "--commitment"  # and a digest
MONITOR = "quality", "monitor"
DIGEST = "ab" * 32
PROGRAM = """
algorithm = "statistics/1"
rows = [10, 10, 10]
group_by = "plan"
groups = ["a", "b"]

[[measures]]
column = "claims"
decimals = 2
bits = 20
statistics = ["sum", "mean"]
"""


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


class Desk:
    """Somebody who sits before the command line and can be any party."""

    def __init__(self, network: LocalNetwork, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self.run_id = secrets.token_hex(4)

    def name(self, text: str) -> str:
        """An id that no other test uses."""
        return f"{text}-{self.run_id}"

    def home(self, party: str) -> str:
        return str(self.network.root / "parties" / party)

    def enter(self, party: str, *words: str) -> Done:
        """Any command line as `party`."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*words, "--home", self.home(party)])
        return Done(code, out.getvalue(), err.getvalue())

    def ask(self, party: str, *words: str, code: int = 0) -> dict[str, object]:
        """The JSON object that a command answers."""
        answer = self._json(party, *words, code=code)
        assert isinstance(answer, dict)
        return answer

    def ask_list(self, party: str, *words: str) -> list[dict[str, object]]:
        answer = self._json(party, *words, code=0)
        assert isinstance(answer, list)
        return answer

    def told(self, party: str, *words: str) -> str:
        """What people see."""
        done = self.enter(party, *words)
        assert done.code == 0, done.err
        return done.out

    def refused(self, party: str, *words: str) -> str:
        """The code of a command that must be refused with a sentence."""
        done = self.enter(party, *words, "--json")
        assert (done.code, done.out) == (1, ""), done
        refusal = json.loads(done.err)["refused"]
        assert len(refusal["detail"].split()) > 2, refusal
        return str(refusal["code"])

    def file(self, name: str, text: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def _json(self, party: str, *words: str, code: int) -> object:
        done = self.enter(party, *words, "--json")
        assert done.code == code, done
        return json.loads(done.out)


def names_of(events: Sequence[dict[str, object]]) -> list[str]:
    return [f"{event['contract']}.{event['name']}" for event in events]


def catalogued(desk: Desk) -> list[str]:
    """Each supplier registers a data set."""
    datasets = [desk.name(f"rows-{supplier[-1]}") for supplier in SUPPLIERS]
    columns = "--column", "plan:text", "--column", "claims:decimal:元"
    for supplier, dataset in zip(SUPPLIERS, datasets, strict=True):
        words = "--title", "理赔", "--tag", dataset, *CLASS
        desk.ask(supplier, "catalog", "draft", dataset, *columns, *words)
        desk.ask(supplier, "catalog", "collect", dataset, *ROWS, DIGEST)
        desk.ask(supplier, "catalog", "register", dataset)
    found = desk.ask_list("consumer", "catalog", "search", "理赔", "--tag", datasets[0])
    assert [item["id"] for item in found] == datasets[:1]
    return datasets


def granted(desk: Desk, datasets: list[str]) -> str:
    """A demand is filed, prescreened, reviewed, and granted."""
    demand, grant = desk.name("demand"), desk.name("grant")
    chosen = [word for dataset in datasets for word in ("--dataset", dataset)]
    text = ["--title", "保险", "--kind", "claims", "--format", "table", "--quality", "complete"]
    text += ["--delivery", "sealed file", "--purpose", "pricing", "--scenario", "insurance"]
    text += ["--need", "claims by plan"]
    desk.ask("consumer", "demand", "file", demand, *text)
    assert desk.refused("consumer", "demand", "prescreen", demand, "--pass") == "demand.role"
    desk.ask("operator", "demand", "prescreen", demand, "--pass", "--note", "complete")
    desk.ask("manager", "demand", "review", demand, "--pass", *chosen)
    assert desk.ask("consumer", "demand", "show", demand)["status"] == "approved"
    terms = ["--demand", demand, "--scenario", "insurance", *chosen, "--output-kind", "statistics"]
    terms += ["--algorithm", "statistics/1", "--expires", "+2d", "--uses", "3"]
    desk.ask("operator", "grant", "request", grant, *terms)
    desk.ask("manager", "grant", "review", grant)
    desk.ask("manager", "grant", "approve", grant, "--note", "lawful")
    assert desk.ask("operator", "grant", "check", grant, code=1)["status"] == "granted"
    read = str(desk.ask("operator", "grant", "terms", grant)["digest"])
    other = desk.refused("operator", "grant", "accept", grant, "--digest", "00" * 32)
    assert other == "grant.digest"
    signed = desk.ask("operator", "grant", "accept", grant, "--digest", read)
    events = signed["events"]
    assert isinstance(events, list)
    assert names_of(events) == ["grant.Granted"]
    assert desk.ask("operator", "grant", "check", grant)["valid"] is True
    assert "insurance" in desk.told("operator", "grant", "show", grant)
    return grant


def created(desk: Desk, task: str, grant: str, datasets: list[str]) -> None:
    pairs = [f"{party}={dataset}" for party, dataset in zip(SUPPLIERS, datasets, strict=True)]
    words = ["--grant", grant, "--program", desk.file("program.toml", PROGRAM), "--deadline", "+1h"]
    words += [word for pair in pairs for word in ("--participant", pair)]
    desk.ask("operator", "task", "create", task, *words)


def computed(desk: Desk, grant: str, datasets: list[str]) -> str:
    """A task from its order to its end."""
    task = desk.name("task")
    created(desk, task, grant, datasets)
    waiting = desk.ask_list("supplier-a", "task", "open", "supplier-a")
    assert task in [item["id"] for item in waiting]
    assert desk.refused("operator", "task", "result", task) == "task.unfinished"
    carried_out(desk, task)
    return task


def carried_out(desk: Desk, task: str) -> None:
    """An ordered task runs; the shares are made here, all else is said on the command line."""
    offer = task, "127.0.0.1:1", f"str:{CERTIFICATE}", f"0x{DIGEST}"
    for supplier in SUPPLIERS:
        desk.ask(supplier, "contract", "call", "task", "accept", *offer)
    file = desk.ask("operator", "task", "show", task)
    program = decode_program(bytes.fromhex(str(file["program"])[2:]))
    found = {(0, "count"): Fraction(20), (0, "sum"): Fraction(5000), (0, "mean"): Fraction(250)}
    receiver = desk.network.account("operator").public_key
    shares = sealed_shares(task, program, found, receiver)
    for supplier, share in zip(SUPPLIERS, shares, strict=True):
        sealed = desk.file(f"{supplier}.share", share.sealed)
        digests = [share.program_hash, bytes(32), share.output_commitment]
        said = *[f"hex:{digest.hex()}" for digest in digests], f"file:{sealed}", "[1, 2]", "ABY3"
        desk.ask(supplier, "contract", "call", "task", "report", task, *said)
    assert "finished" in desk.told("operator", "task", "show", task)
