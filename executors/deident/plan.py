"""A plan (去标识化方案): what each column is, what is done to it, and what must hold afterwards.

    [table]
    kind = "rows"          # or "groups": a line is a group of persons, `count` says how many
    k = 20                 # the smallest class that may be left
    threshold_ppm = 50000  # the risk that is acceptable, in millionths

    [columns.name]
    class = "identifier"   # identifier, quasi, sensitive or other
    do = "drop"            # keep, drop, suppress, pseudonym, range:N, prefix:N, month or year
    allow = ["mobile"]     # looked at: what looks like one here is none

Every column is named, so that none goes out because nobody thought of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from client.toml import TomlInvalid, parse_toml
from executors.deident.identifiers import KINDS
from executors.errors import ExecutorError

IDENTIFIER: Final = "identifier"  # 直接标识符
QUASI: Final = "quasi"  # 准标识符
SENSITIVE: Final = "sensitive"  # 敏感属性
OTHER: Final = "other"
CLASSES: Final = (IDENTIFIER, QUASI, SENSITIVE, OTHER)

ROWS: Final = "rows"
GROUPS: Final = "groups"

K_DEFAULT: Final = 20
K_MAX: Final = 10**6
THRESHOLD_DEFAULT: Final = 50_000  # 5 %: one in a class of twenty
LOST_DEFAULT: Final = 10  # percent of the rows: a plan that loses more generalizes too little
PLAN_SIZE_MAX: Final = 256 << 10  # bytes
SENSITIVE_MAX: Final = 8  # columns: each has its own distribution in every class
PREFIX_MAX: Final = 1024  # characters
CONTEXT: Final = re.compile(r"[a-z0-9_.\-]{1,64}")
_RANGE: Final = re.compile(r"range:([0-9]{1,12}(?:\.[0-9]{1,9})?)", re.ASCII)
_PREFIX: Final = re.compile(r"prefix:([1-9][0-9]{0,3})", re.ASCII)
_PLAIN: Final = ("keep", "drop", "suppress", "pseudonym", "month", "year")


class PlanInvalid(ExecutorError):
    """A plan cannot be used, or does not fit its file; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to the cells of a column; `width` of ranges, `length` of prefixes."""

    name: str
    width: Decimal = Decimal(0)
    length: int = 0


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    kind: str
    treatment: Treatment = Treatment("keep")
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """`count` is the column with the sizes of groups; `context` keeps pseudonyms of different
    releases apart."""

    columns: Mapping[str, ColumnPlan]
    kind: str = ROWS
    count: str = ""
    k: int = K_DEFAULT
    threshold_ppm: int = THRESHOLD_DEFAULT
    rows_lost_max_percent: int = LOST_DEFAULT
    context: str = ""

    def named(self, kind: str) -> tuple[str, ...]:
        """The columns of this class, in the order of the plan."""
        return tuple(name for name, column in self.columns.items() if column.kind == kind)

    def check_header(self, header: Iterable[str]) -> None:
        """Every column of a file is in the plan; what the plan drops may be gone already.

        Raises PlanInvalid.
        """
        found = set(header)
        unplanned = sorted(found - set(self.columns))
        if unplanned:
            raise PlanInvalid(f"say in the plan what these columns are: {', '.join(unplanned)}")
        missing = sorted(
            name
            for name, column in self.columns.items()
            if name not in found and column.treatment.name != "drop"
        )
        if missing:
            raise PlanInvalid(f"the file has no such columns: {', '.join(missing)}")


def parse_plan(data: bytes) -> Plan:
    """The plan in a TOML file. Raises PlanInvalid."""
    if len(data) > PLAN_SIZE_MAX:
        raise PlanInvalid(f"over {PLAN_SIZE_MAX >> 10} KiB is no plan")
    try:
        found = parse_toml(data.decode("utf-8"))
    except (TomlInvalid, UnicodeDecodeError) as error:
        raise PlanInvalid(f"not TOML: {error}") from None
    _refuse_unknown(found, ("table", "columns"), "the plan")
    columns = _table(found.get("columns", {}), "columns")
    if not columns:
        raise PlanInvalid("name the columns, each in a table [columns.NAME]")
    parsed = {name: _column(name, value) for name, value in columns.items()}
    return _checked(_settings(_table(found.get("table", {}), "table"), parsed))


def _settings(table: Mapping[str, object], columns: Mapping[str, ColumnPlan]) -> Plan:
    known = ("kind", "count", "k", "threshold_ppm", "rows_lost_max_percent", "context")
    _refuse_unknown(table, known, "[table]")
    return Plan(
        columns,
        kind=_text(table, "kind", ROWS),
        count=_text(table, "count", ""),
        k=_number(table, "k", K_DEFAULT, least=1, most=K_MAX),
        threshold_ppm=_number(table, "threshold_ppm", THRESHOLD_DEFAULT, least=1, most=10**6),
        rows_lost_max_percent=_number(
            table, "rows_lost_max_percent", LOST_DEFAULT, least=0, most=100
        ),
        context=_text(table, "context", ""),
    )


def _checked(plan: Plan) -> Plan:
    if plan.kind not in (ROWS, GROUPS):
        raise PlanInvalid("[table] kind: use rows or groups")
    if (plan.kind == GROUPS) != (plan.count != ""):
        raise PlanInvalid(
            "[table] count: name the column with the sizes of groups, for groups only"
        )
    if plan.count and plan.count not in plan.columns:
        raise PlanInvalid("[table] count: there is no table of that column")
    if len(plan.named(SENSITIVE)) > SENSITIVE_MAX:
        raise PlanInvalid(f"up to {SENSITIVE_MAX} columns are measured as sensitive")
    has_pseudonyms = any(one.treatment.name == "pseudonym" for one in plan.columns.values())
    if has_pseudonyms and not CONTEXT.fullmatch(plan.context):
        raise PlanInvalid(
            '[table] context: name what the pseudonyms are for, such as "hospital-study-1"'
        )
    return plan


def _column(name: str, value: object) -> ColumnPlan:
    where = f"[columns.{name}]"
    table = _table(value, f"columns.{name}")
    _refuse_unknown(table, ("class", "do", "allow"), where)
    kind = _text(table, "class", "")
    if kind not in CLASSES:
        raise PlanInvalid(f"{where} class: use {', '.join(CLASSES)}")
    allowed = table.get("allow", [])
    if not isinstance(allowed, list) or any(one not in KINDS for one in allowed):
        raise PlanInvalid(f"{where} allow: a list of {', '.join(KINDS)}")
    return ColumnPlan(kind, _treatment(where, _text(table, "do", "keep")), tuple(allowed))


def _treatment(where: str, text: str) -> Treatment:
    if text in _PLAIN:
        return Treatment(text)
    if (found := _RANGE.fullmatch(text)) and Decimal(found[1]) > 0:
        return Treatment("range", width=Decimal(found[1]))
    if (found := _PREFIX.fullmatch(text)) and int(found[1]) <= PREFIX_MAX:
        return Treatment("prefix", length=int(found[1]))
    raise PlanInvalid(f"{where} do: use {', '.join(_PLAIN)}, range:WIDTH or prefix:LENGTH")


def _table(value: object, where: str) -> Mapping[str, object]:
    if isinstance(value, dict):
        return value
    raise PlanInvalid(f"[{where}] is to be a table")


def _refuse_unknown(table: Mapping[str, object], known: Iterable[str], where: str) -> None:
    for name in table:
        if name not in known:
            raise PlanInvalid(f"{where}: {name!r} is none of {', '.join(known)}")


def _text(table: Mapping[str, object], name: str, default: str) -> str:
    value = table.get(name, default)
    if isinstance(value, str):
        return value
    raise PlanInvalid(f"{name}: write it in quotes")


def _number(table: Mapping[str, object], name: str, default: int, *, least: int, most: int) -> int:
    value = table.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise PlanInvalid(f"[table] {name}: a whole number, {least} to {most}")
