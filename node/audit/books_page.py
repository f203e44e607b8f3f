"""Jobs, agreements and bills on the page of an auditor's answers; contradictions come first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from node.audit.answers import Answers
from node.audit.page import short, shown, wide_table
from node.audit.tables.books import (
    AGREEMENTS,
    CONTRADICTIONS,
    ENTRIES,
    JOB_TASKS,
    JOBS,
    STATEMENTS,
)
from node.audit.tables.columns import Cell, Row, Table, plain

# Which columns people see, in this order; the other formats have all.
_SHOWN: Final[tuple[tuple[Table, str, tuple[str, ...]], ...]] = (
    (
        JOBS,
        "Jobs 作业",
        (
            *("id", "title", "grant_id", "operator", "parties", "confirmed", "steps"),
            *("finished_steps", "status", "created", "queued", "dispatched", "result"),
            *("verified", "closed", "ended", "contradictions"),
        ),
    ),
    (
        JOB_TASKS,
        "Tasks of jobs 作业任务",
        (
            *("job_id", "step", "attempt", "task_id", "component", "participants", "status"),
            *("begun", "ended", "transaction"),
        ),
    ),
    (
        AGREEMENTS,
        "Agreements 合同",
        (
            *(
                "id",
                "title",
                "kind",
                "subject",
                "operator",
                "consumer",
                "price_fen",
                "service",
                "per",
            ),
            *("signed_by", "deliveries", "accepted", "status", "in_force", "until", "ended"),
            "contradictions",
        ),
    ),
    (
        STATEMENTS,
        "Statements 对账单",
        (
            *("id", "payee", "payer", "begins", "ends", "entries", "total_fen", "metered_fen"),
            *("due_fen", "charges", "status", "issued", "paid", "contradictions"),
        ),
    ),
    (
        ENTRIES,
        "What was metered 计量",
        (
            *("number", "kind", "subject", "payee", "payer", "units", "price_fen"),
            *("expected_fen", "statement_id", "time", "transaction"),
        ),
    ),
)


def books_sections(found: Answers) -> Iterator[str]:
    """The tables, and before them where they do not agree with what was done."""
    yield from _contradictions(found)
    for table, title, columns in _SHOWN:
        lines = (_line(table, row, columns) for row in found.books[table.name])
        head = [name.replace("_", " ") for name in columns]
        yield from wide_table(title, head, lines, found.books_count[table.name])


def _contradictions(found: Answers) -> Iterator[str]:
    count = found.books_count[CONTRADICTIONS.name]
    yield f"<h2>Contradictions 矛盾: {count:,}</h2>"
    if not count:
        yield (
            '<p><span class="ok">✓</span> Every job, agreement and bill agrees with the acts that '
            "it is of: tasks with their plans, deliveries with their terms, sums with what was "
            "metered.</p>"
        )
        return
    yield "<ul>"
    for row in found.books[CONTRADICTIONS.name]:
        subject, _check, says, height, _index, time_ms, transaction = _line(
            CONTRADICTIONS, row, [column.name for column in CONTRADICTIONS.columns]
        )
        yield (
            f'<li><span class="no">✗ {shown(subject)}</span> {shown(short(says))} '
            f'<span class="p">block {shown(height)}, {shown(time_ms)}, {shown(transaction)}</span>'
            "</li>"
        )
    yield "</ul>"


def _line(table: Table, row: Row, columns: Sequence[str]) -> list[str]:
    cells = {
        column.name: plain(cell, column.kind)
        for column, cell in zip(table.columns, row, strict=True)
    }
    return [_told(cells[name]) for name in columns]


def _told(cell: Cell | list[str]) -> str:
    if cell is None:
        return ""
    return ", ".join(cell) if isinstance(cell, list | tuple) else str(cell)
