"""The queries of docs/analysis.md, as they stand there, against what plain Python finds."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import duckdb
import pytest

from node.audit import replayed
from node.audit.files import Format
from node.audit.outputs import write_tables
from node.audit.tables.export import TABLES
from tests.audit_world import Audited
from tests.business import dataset_of

PAGE = Path(__file__).parents[2] / "docs" / "analysis.md"
Rows = list[tuple[object, ...]]


@cache
def queries() -> tuple[tuple[str, str], ...]:
    """Each query with the output that the page shows."""
    found = re.findall(r"```sql\n(.*?)```\n\n```text\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return tuple((query, output) for query, output in found)


@pytest.fixture(scope="module")
def tables(audited: Audited, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("analysis") / "tables"
    genesis = audited.chain.genesis
    with replayed(audited.archive, genesis, advance=lambda done, total: None) as found:
        write_tables(
            found, genesis, folder, (Format.PARQUET,), source="it", made_ms=1_000, signer=None
        )
    return folder


@pytest.fixture
def answers(tables: Path, monkeypatch: pytest.MonkeyPatch) -> list[Rows]:
    monkeypatch.chdir(tables)
    with duckdb.connect(":memory:") as connection:
        return [connection.execute(query).fetchall() for query, _output in queries()]


def test_the_page_has_five_queries_and_their_columns(
    tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(queries()) == 5
    monkeypatch.chdir(tables)
    with duckdb.connect(":memory:") as connection:
        for query, output in queries():
            columns = [column[0] for column in connection.execute(query).description]
            assert output.split("\n")[0].split() == columns


def test_the_page_lists_every_table_and_column() -> None:
    page = PAGE.read_text("utf-8")
    for table in TABLES:
        columns = " ".join(f"`{column.name}`" for column in table.columns)
        assert f"| `{table.name}` | {table.says} | {columns} |" in page


def test_grants_within_quota_and_period(answers: list[Rows]) -> None:
    assert answers[0] == [
        ("g1", "revoked", 1, 3, True, True, 3),  # named in vain before it was, by another, after
        ("g2", "active", 1, 1, True, True, 1),
    ]


def test_time_from_demand_to_delivery(audited: Audited, answers: list[Rows]) -> None:
    chain = audited.chain
    did = defaultdict(list)
    for known in chain.outcomes:
        if known.receipt.status == 0:
            did[known.call].append(chain.store.header(known.height).time_ms)
    filed, granted, offered = did["demand.file"], did["grant.accept"], did["delivery.offer"]
    reported, answered = did["task.report"][1::2], did["delivery.accept"]
    expected = []
    for place, product in enumerate(("p1", "p2")):
        moments = [filed[place], granted[place], reported[place], offered[place]]
        parts = [(after - before) / 1000 for before, after in itertools.pairwise(moments)]
        if place < len(answered):
            ends = [(answered[place] - begin) / 1000 for begin in (offered[place], filed[place])]
            expected.append((product, *parts, *ends, "accepted"))
        else:
            expected.append((product, *parts, None, None, "offered"))
    assert answers[1] == expected


def test_who_tried_what_was_refused(audited: Audited, answers: list[Rows]) -> None:
    counted = Counter(
        (
            known.call,
            known.receipt.detail.split(": ")[0]
            if known.receipt.error == "refused"
            else "bad_arguments",
        )
        for known in audited.chain.outcomes
        if known.receipt.status
    )
    found: Counter[tuple[str, str]] = Counter()
    for _party, _standing, act, code, times, _first, _last in answers[2]:
        assert isinstance(times, int)
        found[str(act), str(code)] += times
    assert found == counted
    standings = {(party, standing) for party, standing, *_ in answers[2]}
    assert standings == {
        ("", ""),
        ("opco", "active"),
        ("rival", "active"),
        ("rival", "suspended"),
        ("civil", "removed"),
    }


def test_who_received_results_of_which_data(answers: list[Rows]) -> None:
    health, social, civil = map(dataset_of, ("health", "social", "civil"))
    share, product = "output share handed in", "product accepted"
    assert answers[3] == [
        (civil, "opco", share, 1, "civil"),
        (health, "insurer", product, 1, "opco"),
        (health, "opco", share, 1, "health"),
        (social, "insurer", product, 1, "opco"),
        (social, "opco", share, 2, "social"),
    ]


def test_turns_of_the_validators(audited: Audited, answers: list[Rows]) -> None:
    store = audited.chain.store
    members = audited.chain.genesis.validators.validators
    heights = range(1, store.height + 1)
    for place, member in enumerate(members):
        mine = [height for height in heights if store.header(height).proposer == place]
        commits = [store.commit_certificate(height) for height in heights]
        executions = [store.execution_certificate(height) for height in heights]
        signed = [
            sum(one.validator == place for found in kind if found for one in found.signatures)
            for kind in (commits, executions)
        ]
        included = sum(len(store.block(height).transactions) for height in mine)
        assert (member.name, member.party, len(mine), included, *signed) in answers[4]
    assert len(answers[4]) == len(members)
