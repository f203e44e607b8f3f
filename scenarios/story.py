"""How a run is told: stage by stage, step by step, as it happens.

Chinese terms stand beside the English; columns are aligned by display width, in which a Chinese
character takes two. Nothing is told that the record does not hold, so `--json` loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from scenarios.record import Figures, Kind, Receipted, RunRecord, Stage, Step, TableRecord

WIDTH = 100  # of a pipe or file, and the most on a terminal: longer lines are hard to follow
WIDTH_MIN = 72
ROLES = {
    "manager": "管理方",
    "operator": "授权运营方",
    "supplier": "数据提供方",
    "consumer": "数据需求方",
    "tech_provider": "技术提供方",
    "developer": "服务开发方",
}
EXECUTOR = "执行器"
MARKS = {
    Kind.CALL: ("✓", "green"),
    Kind.REFUSAL: ("✗", "red"),
    Kind.EXECUTOR: ("⚙", "cyan"),
    Kind.LOCAL: ("·", "dim"),
}
FINDINGS = {
    "data": "数据 data",
    "limits": "局限 limits",
    "model": "模型 model",
    "targets": "客群 targets",
    "suspects": "疑似 suspects",
    "match": "匹配 match",
    "effect": "疗效 effect",
    "double_blind": "双盲 double blind",
    "product": "产品 product",
    "comparison": "核对 comparison",
    "protection": "保护 protection",
    "setting": "环境 setting",
}
NUMBER_WIDTH = 3
WHO_WIDTH = 22  # the longest role in Chinese, and supplier-a
SHORT = 8  # hex digits of a transaction id; --json has them all


class Story:
    """A Teller that writes for people."""

    def __init__(self, out: TextIO) -> None:
        width = max(WIDTH_MIN, min(WIDTH, Console(file=out).width)) if out.isatty() else WIDTH
        self._out = out
        self._console = Console(file=out, width=width, highlight=False)
        self._is_after_table = False

    def stage(self, stage: Stage) -> None:
        title = Text(f"{stage.chinese} {stage.english}", style="bold")
        self._print("", Rule(title, align="left", characters="━"), Text(stage.gist, style="italic"))

    def step(self, step: Step) -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=NUMBER_WIDTH, justify="right")
        grid.add_column(width=1)
        grid.add_column(width=WHO_WIDTH, no_wrap=True)
        grid.add_column(ratio=1)
        mark, style = MARKS[step.kind]
        grid.add_row(str(step.number), Text(mark, style=style), _who(step), _body(step))
        self._print_after_table(grid)

    def remark(self, text: str) -> None:
        self._print_after_table(_text(text, style="italic cyan"))

    def table(self, table: TableRecord) -> None:
        self._print(_table(table))
        self._is_after_table = True

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        if not self._console.is_terminal:
            self._print(Text(f"… {text}", style="dim"))
            yield
            return
        with self._console.status(text):
            yield

    def opening(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        """The title of the run and what it runs on."""
        self._print(Rule(Text(title, style="bold"), characters="═"))
        self._pairs(lines)

    def closing(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        """A last block of names and values."""
        self._print("", Rule(Text(title, style="bold"), align="left", characters="━"))
        self._pairs(lines)

    def _pairs(self, lines: Sequence[tuple[str, str]]) -> None:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1, overflow="fold")
        for name, text in lines:
            grid.add_row(_text(name, style="dim"), _text(text))
        self._print(grid)

    def _print_after_table(self, what: RenderableType) -> None:
        if self._is_after_table:
            self._print("")
        self._print(what)

    def _print(self, *parts: RenderableType) -> None:
        """Cells are padded; in a file or pipe the blanks at the ends of lines go."""
        self._is_after_table = False
        if self._console.is_terminal:
            for part in parts:
                self._console.print(part)
            return
        with self._console.capture() as captured:
            for part in parts:
                self._console.print(part)
        lines = captured.get().splitlines()
        self._out.write("".join(f"{line.rstrip()}\n" for line in lines))
        self._out.flush()


class Silence:
    """A Teller for programs, which read the record."""

    def stage(self, stage: Stage) -> None:
        """Not told."""

    def step(self, step: Step) -> None:
        """Not told."""

    def remark(self, text: str) -> None:
        """Not told."""

    def table(self, table: TableRecord) -> None:
        """Not told."""

    def waiting(self, text: str) -> AbstractContextManager[None]:
        return _nothing()


def figures_lines(record: RunRecord) -> list[tuple[str, str]]:
    """The measured end of a story."""
    figures = record.figures
    kinds = [step.kind for step in record.steps]
    return [
        (
            "步骤 steps",
            f"{len(kinds)}: {kinds.count(Kind.CALL)} calls, {kinds.count(Kind.EXECUTOR)} by "
            f"executors, {kinds.count(Kind.REFUSAL)} refused as they must be, "
            f"{kinds.count(Kind.LOCAL)} outside the chain",
        ),
        (
            "区块 blocks",
            f"{figures.blocks} ({figures.first_height} to {figures.last_height}), "
            f"{figures.transactions} transactions, {figures.block_bytes:,} bytes, "
            f"{figures.gas:,} gas",
        ),
        ("用时 time", _times(figures)),
        (
            "一致 agreement",
            f"{figures.nodes} nodes, one height, one state root {figures.state_root[:16]}…",
        ),
        *((FINDINGS.get(name, name.replace("_", " ")), text) for name, text in record.findings),
    ]


def _times(figures: Figures) -> str:
    parts = [f"{stage.chinese} {ms / 1000:.1f} s" for stage, ms in figures.stage_ms]
    total = sum(ms for _stage, ms in figures.stage_ms)
    return f"{', '.join(parts)}; {total / 1000:.1f} s in all"


def _who(step: Step) -> str:
    role = EXECUTOR if step.kind is Kind.EXECUTOR else ROLES.get(step.role, step.role)
    return f"{role} {step.party}"


def _body(step: Step) -> Group:
    lines = [_text(f"{step.text} ({step.term})")]
    if step.facts:
        facts = " · ".join(f"{name} {value}" for name, value in step.facts)
        lines.append(_text(facts, style="dim"))
    receipted = step.receipted
    if receipted is not None:
        if receipted.refusal:
            lines.append(_text(f"refused: {receipted.refusal}: {receipted.advice}", style="red"))
        lines.append(_text(_receipt(receipted), style="dim"))
    return Group(*lines)


def _receipt(receipted: Receipted) -> str:
    time = f"{receipted.milliseconds / 1000:.2f} s" if receipted.milliseconds else ""
    return (
        f"{receipted.call:<16} tx {receipted.transaction[:SHORT]} block {receipted.height:>4} "
        f"gas {receipted.gas:>7,} {time:>7} {receipted.node}"
    )


def _table(record: TableRecord) -> Group:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for position, column in enumerate(record.columns):
        is_number = all(_is_number(row[position]) for row in record.rows)
        table.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    for row in record.rows:
        table.add_row(*(_text(cell) for cell in row))
    return Group("", Text(record.title, style="bold"), table)


def _text(text: str, style: str = "") -> Text:
    """Text that may come from the chain: control characters must not drive the terminal."""
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return Text(shown, style=style)


def _is_number(cell: str) -> bool:
    return bool(cell) and (cell[0].isdigit() or cell == "-") and not cell.endswith("…")


@contextmanager
def _nothing() -> Iterator[None]:
    yield
