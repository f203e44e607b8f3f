"""A plan to begin with: every column of a file, and what was seen in it; people decide the rest."""

from __future__ import annotations

import json
from pathlib import Path

from executors.deident import plan as plans
from executors.deident.findings import Finding, Watch
from executors.deident.table import Table, checked_header

_HEAD = f"""\
# A plan of de-identification (去标识化方案). Say of every column what it is:
#   identifier  names a person: a name, an id number, a phone (直接标识符)
#   quasi       what others may know of a person: age, sex, where, when (准标识符)
#   sensitive   what nobody is to learn of a person (敏感属性)
#   other       anything else
# and what is done to it: keep, drop, suppress, pseudonym, range:WIDTH, prefix:LENGTH, month, year.
# `allow` lists kinds of identifiers that were looked for, found, and are none.
[table]
kind = "rows"  # or "groups", with count = "COLUMN": each line says how many persons it is about
k = {plans.K_DEFAULT}  # the smallest class that may be left
threshold_ppm = {plans.THRESHOLD_DEFAULT}  # the risk of a row that is acceptable, in millionths
rows_lost_max_percent = {plans.LOST_DEFAULT}  # of rows in classes that stay too small
context = ""  # what pseudonyms are for, such as "hospital-study-1"; other contexts give others
"""


def draft_plan(path: Path) -> str:
    """A plan for the file in TOML. What looks like identifiers is dropped, all else is taken for
    what others may know. Raises DataSetInvalid or OSError."""
    table = Table(path)
    lines = table.lines()
    header = checked_header(next(lines), table.name)
    watch = Watch(header, None)
    for row in lines:
        watch.see(row)
    found = watch.findings()
    return _HEAD + "".join(
        _column(name, [one for one in found if one.column == name]) for name in header
    )


def _column(name: str, found: list[Finding]) -> str:
    # JSON's strings are strings of TOML, too.
    table = f"\n[columns.{json.dumps(name, ensure_ascii=False)}]\n"
    if not found:
        return f'{table}class = "{plans.QUASI}"\ndo = "keep"\n'
    seen = ", ".join(f"{one.kind} in {one.cells} cells" for one in found)
    return f'{table}# found: {seen}\nclass = "{plans.IDENTIFIER}"\ndo = "drop"\n'
