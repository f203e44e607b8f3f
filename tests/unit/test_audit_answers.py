"""An auditor's questions: answered from verified blocks alone, and alike by a naive reading."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli.main import main
from ledger.encoding import decode
from ledger.model import TransactionBody, transaction_id
from ledger.values import Value, decode_value
from node.audit import Replayed, replayed
from node.audit.acts.act import Act, Reader
from node.audit.answers import Asked, Question, QuestionRefused
from node.audit.files import Format
from node.audit.manifest import read_manifest
from node.audit.outputs import write_answers
from node.audit.parts import MOMENT_MAX_MS
from node.audit.tables.chain import committee_rows
from tests.archive_world import entries_of, rewrite
from tests.audit_world import HOSTILE, ROLES, Audited
from tests.business import dataset_of
from tests.moving_chain import Moving

FORGED_HEIGHT = 20
ALL = tuple(Question)


def answered(
    found: Replayed, folder: Path, asked: Asked, *formats: Format
) -> dict[str, list[dict[str, str]]]:
    """The tables of an answer, by name, as CSV tells them."""
    assert found.again is not None
    write_answers(
        found,
        found.again.genesis,
        asked,
        folder,
        formats or (Format.CSV,),
        source="it",
        made_ms=1_000,
        signer=None,
    )
    return {path.stem: rows_of(path) for path in folder.glob("*.csv")}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def heights(rows: Sequence[dict[str, str]]) -> list[int]:
    return [int(row["height"]) for row in rows]


@pytest.fixture(scope="module")
def whole(audited: Audited) -> Iterator[Replayed]:
    """A replay of the untouched archive."""
    with replayed(audited.archive, audited.chain.genesis, advance=ignored) as found:
        assert found.verdict.divergence is None
        yield found


def ignored(done: int, total: int | None) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def acts(audited: Audited) -> list[Act]:
    return list(Reader(audited.chain.store, audited.chain.store.height).acts())


# --- what was not verified is not answered from ---------------------------------------------------


@pytest.fixture(scope="module")
def forged(audited: Audited, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    """A replay of an archive in which one receipt says something else."""
    entries = entries_of(audited.archive)
    entry = entries[FORGED_HEIGHT]
    dearer = replace(entry.receipts[0], gas_used=entry.receipts[0].gas_used + 1)
    entries[FORGED_HEIGHT] = replace(entry, receipts=(dearer,))
    genesis, path = audited.chain.genesis, tmp_path_factory.mktemp("forged") / "archive"
    rewrite(path, audited.archive, genesis, entries)
    with replayed(path, genesis, advance=ignored) as found:
        yield found


def test_a_tampered_archive_answers_nothing_from_the_fault_on(
    forged: Replayed, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    tables = answered(forged, folder, Asked((Question.ACTS,)), Format.CSV, Format.HTML)
    assert heights(tables["acts"]) == list(range(1, FORGED_HEIGHT))
    manifest = read_manifest(folder).answers
    assert (manifest.verdict, manifest.figures.height) == ("diverges", FORGED_HEIGHT - 1)
    assert manifest.divergence is not None and manifest.divergence.height == FORGED_HEIGHT
    page = (folder / "answers.html").read_text()
    assert f"Answered from blocks up to {FORGED_HEIGHT - 1} alone" in page


def test_a_product_above_the_fault_has_no_custody(forged: Replayed, tmp_path: Path) -> None:
    asked = Asked(ALL, product="p2")
    with pytest.raises(QuestionRefused, match="up to block 19 names a product 'p2'"):
        answered(forged, tmp_path / "out", asked)
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob(".out*")) == [], "nothing half-made is left"


def test_nothing_is_answered_from_an_archive_that_was_cut(
    audited: Audited, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(audited.archive, tmp_path / "cut")
    with (tmp_path / "cut").open("r+b") as file:
        file.truncate(3_000)
    words = ["audit", "report", str(tmp_path / "cut"), "--genesis", audited.genesis_file]
    assert main([*words, "--output", str(tmp_path / "out")]) == 1
    assert "nothing of the source was verified" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# --- unknown ids, empty and bounded periods -------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Asked((Question.ACTS,), grant="g77"), "names a grant 'g77'"),
        (Asked((Question.ACTS,), dataset="p1"), "names a dataset 'p1'"),
        (Asked((Question.ACTS,), party="nobody"), "no party and no account"),
        (Asked((Question.CUSTODY,), product="<p>"), "names a product '<p>'"),
    ],
)
def test_what_nobody_names_is_refused(
    whole: Replayed, tmp_path: Path, asked: Asked, says: str
) -> None:
    with pytest.raises(QuestionRefused, match=says):
        answered(whole, tmp_path / "out", asked)


def test_a_grant_that_only_refused_acts_name_is_answered_with_them(
    audited: Audited, whole: Replayed, tmp_path: Path
) -> None:
    period = Asked((Question.ACTS,), grant="g1", to_ms=audited.chain.store.header(14).time_ms)
    tables = answered(whole, tmp_path / "out", period)
    assert [(row["error"], row["refusal"]) for row in tables["acts"]] == [
        ("refused", "grant.unknown")
    ]


def test_a_period_takes_its_first_moment_and_leaves_its_last(
    audited: Audited, whole: Replayed, tmp_path: Path
) -> None:
    first, last = (audited.chain.store.header(height).time_ms for height in (5, 9))
    asked = Asked((Question.ACTS,), from_ms=first, to_ms=last)
    assert heights(answered(whole, tmp_path / "a", asked)["acts"]) == [
        5,
        6,
        7,
        8,
    ]
    later = Asked((Question.ACTS,), from_ms=first + 1, to_ms=last + 1)
    assert heights(answered(whole, tmp_path / "b", later)["acts"]) == [
        6,
        7,
        8,
        9,
    ]


def test_a_period_without_acts_is_an_answer(whole: Replayed, tmp_path: Path) -> None:
    asked = Asked((Question.ACTS, Question.ACCESS), from_ms=1, to_ms=2)
    tables = answered(whole, tmp_path / "out", asked, Format.CSV, Format.HTML)
    assert tables == {"acts": [], "access": []}
    assert "<p>None.</p>" in (tmp_path / "out" / "answers.html").read_text()


def test_questions_that_cannot_be_asked_are_refused() -> None:
    with pytest.raises(QuestionRefused, match="before"):
        Asked((Question.ACTS,), from_ms=2, to_ms=2)
    with pytest.raises(QuestionRefused, match="name it with --product"):
        Asked((Question.CUSTODY,))
    for time_ms in (-1, MOMENT_MAX_MS + 1):
        with pytest.raises(QuestionRefused, match="1970 to 9999"):
            Asked((Question.ACTS,), to_ms=time_ms)


# --- acts, by a second opinion --------------------------------------------------------------------


def words_in(value: Value) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from words_in(item)


def naive(audited: Audited) -> Iterator[tuple[int, str, str, bool, set[str]]]:
    """Height, id, call, success and every word of each transaction: read without any table."""
    store = audited.chain.store
    for height in range(1, store.height + 1):
        for transaction, receipt in zip(
            store.block(height).transactions, store.receipts(height), strict=True
        ):
            body = decode(transaction.body, TransactionBody, size_max=1 << 20)
            words = set(words_in(decode_value(body.args)))
            for event in receipt.events:
                for _name, value in event.fields:
                    words.update(words_in(decode_value(value)))
            call = f"{body.contract}.{body.method}"
            yield height, transaction_id(transaction).hex(), call, receipt.status == 0, words


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        (Asked((Question.ACTS,), grant="g1"), {"g1", "t1", "p1", "v1"}),
        (Asked((Question.ACTS,), grant="g2"), {"g2", "t2", "p2", "v2"}),
        (Asked((Question.ACTS,), product="p1"), {"p1", "v1"}),
        (
            Asked((Question.ACTS,), dataset=dataset_of("civil")),
            {dataset_of("civil"), "g2", "t2", "p2", "v2"},
        ),
    ],
)
def test_acts_about_something_are_those_that_a_naive_reading_finds(
    audited: Audited, whole: Replayed, tmp_path: Path, asked: Asked, ids: set[str]
) -> None:
    rows = answered(whole, tmp_path / "out", asked)["acts"]
    expected = [
        (height, name)
        for height, name, call, is_done, words in naive(audited)
        if words & ids and (call, is_done) != ("task.accept", False) and call != "reader.note"
    ]
    assert [(int(row["height"]), row["transaction"]) for row in rows] == expected


@pytest.mark.parametrize("who", [*ROLES, "bureau"])
def test_acts_of_a_party_are_those_that_it_did(
    audited: Audited, whole: Replayed, tmp_path: Path, who: str
) -> None:
    mine = (who, "spare") if who == "civil" else (who,)
    did = [one.height for one in audited.chain.outcomes if one.who in mine]
    name = "Bureau" if who == "bureau" else f"The {who}"
    account = audited.chain.people[who].address
    for place, word in enumerate((who, name)):
        asked = Asked((Question.ACTS,), party=word)
        rows = answered(whole, tmp_path / str(place), asked)["acts"]
        assert heights(rows) == did
    asked = Asked((Question.ACTS,), party=account)
    rows = answered(whole, tmp_path / "account", asked)["acts"]
    assert heights(rows) == [one.height for one in audited.chain.outcomes if one.who == who]


def test_every_act_has_the_outcome_that_its_sender_saw(audited: Audited, acts: list[Act]) -> None:
    outcomes = audited.chain.outcomes
    assert len(acts) == len(outcomes)
    for act, known in zip(acts, outcomes, strict=True):
        assert (act.height, f"{act.contract}.{act.method}") == (known.height, known.call)
        assert (act.status, act.gas) == (known.receipt.status, known.receipt.gas_used)
        assert act.sender == audited.chain.people[known.who].address


def test_a_party_has_the_standing_of_its_moment(audited: Audited, acts: list[Act]) -> None:
    standings = [(act.by.party, act.by.standing) for act in acts]
    by = {known.height: known.who for known in audited.chain.outcomes}
    assert ("rival", "active") in standings and ("rival", "suspended") in standings
    assert [act.by.standing for act in acts if by[act.height] == "spare"] == ["active", "removed"]
    (stranger,) = (act for act in acts if by[act.height] == "stranger")
    assert (stranger.by.party, stranger.by.standing) == ("", "")
    assert {act.by.roles for act in acts if act.by.party == "opco"} == {("operator",)}


def test_nodes_act_for_the_parties_that_run_them(moving: Moving) -> None:
    """Their consensus keys confirm; those of observers that were admitted later, too."""
    nodes = {node.name: node.party for node in moving.chain.nodes}
    reader = Reader(moving.chain.store, moving.head)
    confirmed = [act for act in reader.acts() if act.method == "confirm"]
    assert {act.by.node for act in confirmed} >= {"node4", "node5"}
    for act in confirmed:
        assert (act.by.party, act.by.standing) == (nodes[act.by.node], "node")
        assert ("node", act.by.node) in act.direct
    rows = list(committee_rows(moving.chain.store.epochs, moving.head))
    begins = [1, moving.first_base + 1, moving.second_base + 1]
    assert [sum(row[0] == begin for row in rows) for begin in begins] == [4, 5, 5]
    assert len(rows) == 14, "the committee to come has not taken over"


def test_a_contract_of_somebody_names_nothing_but_itself(acts: list[Act]) -> None:
    (note,) = (act for act in acts if act.contract == "reader")
    assert note.arguments == (("dataset_id", dataset_of("health")), ("text", "=1"))
    assert note.direct == frozenset()
    (deployed,) = (act for act in acts if act.method == "deploy")
    assert deployed.direct == {("contract", "reader"), ("party", "opco")}


# --- access ---------------------------------------------------------------------------------------


def test_who_was_given_what_is_told_in_order(whole: Replayed, tmp_path: Path) -> None:
    asked = Asked((Question.ACCESS,), grant="g1")
    rows = answered(whole, tmp_path / "out", asked)["access"]
    assert [(row["kind"], row["receiver"], row["giver"], row["what"]) for row in rows] == [
        ("use granted", "opco", "bureau", "grant:g1"),
        ("computation ordered", "opco", "opco", "task:t1"),
        ("output share handed in", "opco", "health", "task:t1"),
        ("output share handed in", "opco", "social", "task:t1"),
        ("product offered", "insurer", "opco", "product:p1"),
        ("product accepted", "insurer", "opco", "product:p1"),
        ("evidence recorded", "insurer", "", "delivery:v1"),
        ("grant revoked", "opco", "bureau", "grant:g1"),
    ]
    assert json.loads(rows[0]["columns"]) == [
        f"{dataset_of(supplier)}.{column}"
        for supplier in ("health", "social")
        for column in ("age", "claims")
    ]
    assert json.loads(rows[2]["datasets"]) == [dataset_of("health")]


def test_access_of_a_party_is_what_it_gave_or_received(whole: Replayed, tmp_path: Path) -> None:
    asked = Asked((Question.ACCESS,), party="health")
    rows = answered(whole, tmp_path / "out", asked)["access"]
    assert [(row["giver"], row["what"]) for row in rows] == [("health", "task:t1")]


# --- custody --------------------------------------------------------------------------------------


def test_custody_is_proved_by_the_transactions_that_a_naive_reading_finds(
    audited: Audited, whole: Replayed, tmp_path: Path
) -> None:
    asked = Asked((Question.CUSTODY,), product="p1")
    edges = answered(whole, tmp_path / "out", asked)["custody"]
    datasets = {dataset_of("health"), dataset_of("social")}
    chain = {"p1", "v1", "t1", "g1", "d1", *datasets}
    about = {
        "product": {"p1"},
        "delivery": {"v1"},
        "task": {"t1"},
        "grant": {"g1"},
        "demand": {"d1"},
        "catalog": datasets,
        "evidence": chain,
    }
    expected = [
        name
        for _height, name, call, is_done, words in naive(audited)
        if is_done and words & about.get(call.partition(".")[0], set())
    ]
    assert list(dict.fromkeys(edge["transaction"] for edge in edges)) == expected


def test_custody_leads_from_the_product_to_data_parties_and_program(
    whole: Replayed, tmp_path: Path
) -> None:
    asked = Asked((Question.CUSTODY,), product="p1")
    folder = tmp_path / "out"
    tables = answered(whole, folder, asked, Format.CSV, Format.JSON)
    edges = {(e["source"], e["relation"], e["target"]) for e in tables["custody"]}
    tree = json.loads((folder / "custody.tree.json").read_text())
    (program,) = (n["id"] for n in tree["nodes"] if n["id"].startswith("program:"))
    assert edges >= {
        ("delivery:v1", "delivers", "product:p1"),
        ("delivery:v1", "accepted by", "party:insurer"),
        ("product:p1", "made from", "task:t1"),
        ("task:t1", "runs", program),
        ("task:t1", "runs under", "grant:g1"),
        ("task:t1", "used rows of", f"dataset:{dataset_of('health')}"),
        ("grant:g1", "answers", "demand:d1"),
        ("grant:g1", "revoked by", "party:bureau"),
        ("demand:d1", "filed by", "party:insurer"),
        (f"dataset:{dataset_of('social')}", "registered by", "party:social"),
    }
    assert [link for link in tables["links"] if link["holds"] != "true"] == []


def test_missing_links_are_named(whole: Replayed, tmp_path: Path) -> None:
    asked = Asked((Question.CUSTODY,), product="p2")
    links = answered(whole, tmp_path / "out", asked)["links"]
    assert sorted(link["says"] for link in links if link["holds"] == "false") == [
        "insurer has not recorded the agreement that v2 names",
        "no decision or agreement behind g2 is on record",
        "nobody recorded the program of t2 with the hash that was ordered",
        f"nobody recorded where {dataset_of('civil')} comes from",
        "opco has not recorded the agreement that v2 names",
        "the consumer has not recorded that what it opened is the registered product",
        "v2 is not answered yet",
    ]


# --- the page -------------------------------------------------------------------------------------


def test_the_page_shows_hostile_texts_and_runs_none(whole: Replayed, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    answered(whole, folder, Asked(ALL, product="p1"), Format.HTML)
    page = (folder / "answers.html").read_text(encoding="utf-8")
    assert "<script" not in page and "src=" not in page and "href=" not in page
    assert HOSTILE[1] not in page
    assert "\u202e" not in page and "\x00" not in page, "nothing turns the text around"
    for shown in ("delivered as", "保管链", "health-claims", "✓", "What the chain cannot know"):
        assert shown in page
