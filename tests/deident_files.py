"""Files and plans for tests of de-identification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from executors.deident.plan import Plan, parse_plan


def written(folder: Path, text: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def plan_text(
    *,
    identifier: str = "",
    quasi: str = "",
    sensitive: str = "",
    other: str = "",
    do: Mapping[str, str] | None = None,
    allow: Mapping[str, Sequence[str]] | None = None,
    kind: str = "rows",
    count: str = "",
    k: int = 20,
    lost: int = 10,
) -> str:
    """A plan of columns named by their class, with words between spaces."""
    lines = ["[table]", f'kind = "{kind}"', f"k = {k}", f"rows_lost_max_percent = {lost}"]
    lines += [f'count = "{count}"'] if count else []
    lines.append('context = "test"')
    named = {"identifier": identifier, "quasi": quasi, "sensitive": sensitive, "other": other}
    named["other"] = f"{other} {count}"
    for of_class, names in named.items():
        for name in names.split():
            lines += [f"[columns.{name}]", f'class = "{of_class}"']
            lines.append(f'do = "{(do or {}).get(name, "keep")}"')
            lines.append(f"allow = {[*(allow or {}).get(name, ())]}")
    return "\n".join(lines)


def plan_of(**words: object) -> Plan:
    return parse_plan(plan_text(**words).encode())  # type: ignore[arg-type]  # as plan_text takes them
