"""The data catalogue: which data sets there are, described, never shown (clauses 8.1.1, 8.2.2b).

A supplier registers the description of a data set (metadata of 8.2.2b3, grade of 6.6.3a) and a
salted commitment to its rows. The rows stay with the supplier; the commitment makes a later change
of them visible, because a task accepts only the rows that the catalogue knows (8.1.1).

States of an entry: listed -> withdrawn. An update keeps the id and raises the version.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    view,
    view_contract,
)

TITLE_MAX = 128  # characters
TEXT_MAX = 2048  # characters of a description
TAGS_MAX = 16
TAG_MAX = 32  # characters
COLUMNS_MAX = 64  # a wider table is split; in Chinese, too, an entry fits one stored value (64 KiB)
COLUMN_NAME_MAX = 64  # characters
COLUMN_TYPE_MAX = 32  # characters
COLUMN_TEXT_MAX = 128  # characters
ROWS_MAX = 10**12
GRADE_MAX = 4  # 1 public, 2 internal, 3 sensitive, 4 highly sensitive
DIGEST_SIZE = 32  # bytes: SM3
REASON_MAX = 512  # characters
PAGE_MAX = 100  # entries in one answer
SCAN_MAX = 200  # entries that one search looks at; bounds the work of a query


@record
class Dataset:
    """An entry. `schema` has name, type and description of each column."""

    id: str
    owner: str  # party
    title: str
    description: str
    tags: list[str]
    schema: list[tuple[str, str, str]]
    row_count: int
    grade: int
    commitment: bytes  # root of a Merkle tree over salted rows
    registered_ms: int
    updated_ms: int
    version: int = 1
    status: str = "listed"


@record
class DatasetSummary:
    """A line of a list."""

    id: str
    owner: str
    title: str
    tags: list[str]
    row_count: int
    grade: int
    version: int
    status: str


@record
class Participation:
    """How a data set takes part in computations (8.2.2b2)."""

    status: str = "unused"  # then computing, then used
    open: int = 0  # tasks under way
    finished: int = 0  # tasks that came to a result
    ended: int = 0  # tasks that ended without one


@record
class Freshness:
    """What the contract `alert` judges an entry by."""

    owner: str
    status: str
    updated_ms: int


@record
class Found:
    """One step of a search: matching ids, and where the next step starts (-1 at the end)."""

    datasets: list[str]
    next_offset: int


datasets = Map(str, Dataset)
commitments = Map((str, int), bytes)  # data set, version: what the rows were when
participations = Map(str, Participation)
dataset_by_number = Map(int, str)
dataset_count = Var(int)


@call
def register(
    dataset_id: str,
    title: str,
    description: str,
    tags: list[str],
    schema: list[tuple[str, str, str]],
    row_count: int,
    grade: int,
    commitment: bytes,
) -> None:
    """A supplier adds a data set to the catalogue (8.2.2b2, 6.6.3a)."""
    owner = require_supplier()
    require(is_name(dataset_id), "catalog.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(dataset_id not in datasets, "catalog.exists: choose another id, or update the entry")
    entry = Dataset(
        id=dataset_id,
        owner=owner,
        title=title,
        description=description,
        tags=tags,
        schema=schema,
        row_count=row_count,
        grade=grade,
        commitment=commitment,
        registered_ms=ctx.time_ms,
        updated_ms=ctx.time_ms,
    )
    store(entry)
    number = dataset_count.get(0)
    dataset_by_number[number] = dataset_id
    dataset_count.set(number + 1)
    emit("DatasetRegistered", dataset_id=dataset_id, party_id=owner, commitment=commitment)


@call
def update(
    dataset_id: str,
    title: str,
    description: str,
    tags: list[str],
    schema: list[tuple[str, str, str]],
    row_count: int,
    grade: int,
    commitment: bytes,
) -> None:
    """The owner describes newer rows; earlier commitments stay on record (6.6.3b)."""
    entry = own_listed(dataset_id)
    newer = replace(
        entry,
        title=title,
        description=description,
        tags=tags,
        schema=schema,
        row_count=row_count,
        grade=grade,
        commitment=commitment,
        version=entry.version + 1,
        updated_ms=ctx.time_ms,
    )
    store(newer)
    emit(
        "DatasetUpdated",
        dataset_id=dataset_id,
        party_id=entry.owner,
        version=newer.version,
        commitment=commitment,
    )


@call
def withdraw(dataset_id: str, reason: str) -> None:
    """The owner takes a data set out of use for new tasks (8.2.2b2: delete)."""
    entry = own_listed(dataset_id)
    require(1 <= len(reason) <= REASON_MAX, "catalog.reason: give a reason of 1 to 512 characters")
    datasets[dataset_id] = replace(entry, status="withdrawn", updated_ms=ctx.time_ms)
    emit("DatasetWithdrawn", dataset_id=dataset_id, party_id=entry.owner, reason=reason)


@call
def engage(dataset_id: str, party_id: str) -> None:
    """A task takes the data set in; for the task contract alone."""
    require(ctx.sender == "contract:task", "catalog.engage: create a task; it does this itself")
    entry = known(dataset_id)
    require(entry.owner == party_id, "catalog.owner: a participant brings a data set of its own")
    require(entry.status == "listed", "catalog.withdrawn: choose a listed data set")
    had = participations.get(dataset_id, Participation())
    participations[dataset_id] = replace(had, status="computing", open=had.open + 1)


@call
def release(dataset_id: str, is_finished: bool) -> None:
    """A task lets the data set go; for the task contract alone."""
    require(ctx.sender == "contract:task", "catalog.release: end the task; it does this itself")
    had = participations[dataset_id]
    participations[dataset_id] = Participation(
        status="computing" if had.open > 1 else "used",
        open=had.open - 1,
        finished=had.finished + (1 if is_finished else 0),
        ended=had.ended + (0 if is_finished else 1),
    )


@view
def show(dataset_id: str) -> Dataset:
    """One entry, whole."""
    require_reader()
    return known(dataset_id)


@view
def list_(offset: int, limit: int) -> list[DatasetSummary]:
    """Entries in order of registration, withdrawn ones included."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "catalog.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, dataset_count.get(0))
    return [summary(dataset_by_number[number]) for number in range(offset, end)]


@view
def search(
    text: str, tag: str, column_type: str, rows_min: int, rows_max: int, offset: int
) -> Found:
    """Listed entries whose metadata match all that is given (8.2.2b3).

    `text` is sought in id, title, description and column names; "" matches all, as do an empty
    `tag` or `column_type` and a `rows_max` of 0. Each call looks at up to 200 entries.
    """
    require_reader()
    require(offset >= 0, "catalog.page: start from 0 up")
    count = dataset_count.get(0)
    end = min(offset + SCAN_MAX, count)
    found: list[str] = []
    for number in range(offset, end):
        entry = datasets[dataset_by_number[number]]
        is_sized = rows_min <= entry.row_count and (rows_max == 0 or entry.row_count <= rows_max)
        if entry.status == "listed" and is_sized and matches(entry, text, tag, column_type):
            found.append(entry.id)
    return Found(datasets=found, next_offset=end if end < count else -1)


@view
def participation(dataset_id: str) -> Participation:
    """Whether a data set takes part in computations, and in how many it did (8.2.2b2)."""
    require_reader()
    return participations.get(dataset_id, Participation())


@view
def commitment_at(dataset_id: str, version: int) -> bytes:
    """The commitment of an earlier version: what the supplier stood for at that time."""
    require_reader()
    commitment = commitments.get((dataset_id, version))
    if commitment is None:
        fail("catalog.version: see `show` for the data set and its latest version")
    return commitment


@view
def owner_of(dataset_id: str) -> str:
    """The party that registered the data set; "" if it is unknown."""
    entry = datasets.get(dataset_id)
    return "" if entry is None else entry.owner


@view
def listed_by(dataset_id: str) -> str:
    """The owner, if the data set may be used for new tasks; else ""."""
    entry = datasets.get(dataset_id)
    return entry.owner if entry is not None and entry.status == "listed" else ""


@view
def freshness(dataset_id: str) -> Freshness:
    """Whose entry it is, and when its rows were last new (6.6.3b)."""
    entry = known(dataset_id)
    return Freshness(entry.owner, entry.status, entry.updated_ms)


@view
def commitment_of(dataset_id: str) -> bytes:
    """The latest commitment to the rows."""
    return known(dataset_id).commitment


def require_supplier() -> str:
    party = view_contract("parties", "acting_as", ctx.sender, "supplier", returns=str)
    require(party != "", "catalog.role: sign with an account of an active supplier")
    return party


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "catalog.reader: sign with an account of an active party")


def own_listed(dataset_id: str) -> Dataset:
    party = require_supplier()
    entry = known(dataset_id)
    require(entry.owner == party, "catalog.owner: only the supplier that registered it may do this")
    require(entry.status == "listed", "catalog.withdrawn: register the data under a new id")
    return entry


def known(dataset_id: str) -> Dataset:
    entry = datasets.get(dataset_id)
    if entry is None:
        fail("catalog.unknown: no data set has this id; look for it with `list` or `search`")
    return entry


def summary(dataset_id: str) -> DatasetSummary:
    entry = datasets[dataset_id]
    return DatasetSummary(
        id=entry.id,
        owner=entry.owner,
        title=entry.title,
        tags=entry.tags,
        row_count=entry.row_count,
        grade=entry.grade,
        version=entry.version,
        status=entry.status,
    )


def store(entry: Dataset) -> None:
    require(1 <= len(entry.title) <= TITLE_MAX, "catalog.title: use 1 to 128 characters")
    require(len(entry.description) <= TEXT_MAX, "catalog.description: use up to 2048 characters")
    require(0 <= entry.row_count <= ROWS_MAX, "catalog.row_count: use 0 to 10**12")
    require(1 <= entry.grade <= GRADE_MAX, "catalog.grade: use 1 (public) to 4 (highly sensitive)")
    require(len(entry.commitment) == DIGEST_SIZE, "catalog.commitment: use 32 bytes of SM3")
    require(len(entry.tags) <= TAGS_MAX, "catalog.tags: use up to 16 tags")
    for tag in entry.tags:
        require(1 <= len(tag) <= TAG_MAX, "catalog.tag: use 1 to 32 characters")
    require(1 <= len(entry.schema) <= COLUMNS_MAX, "catalog.schema: describe 1 to 64 columns")
    for name, kind, text in entry.schema:
        require(1 <= len(name) <= COLUMN_NAME_MAX, "catalog.column: name it in 1 to 64 characters")
        require(1 <= len(kind) <= COLUMN_TYPE_MAX, "catalog.column: type it in 1 to 32 characters")
        require(len(text) <= COLUMN_TEXT_MAX, "catalog.column: describe it in up to 128 characters")
    datasets[entry.id] = entry
    commitments[entry.id, entry.version] = entry.commitment


def matches(entry: Dataset, text: str, tag: str, column_type: str) -> bool:
    if tag != "" and tag not in entry.tags:
        return False
    has_text = text == "" or text in entry.id or text in entry.title or text in entry.description
    has_type = column_type == ""
    for name, kind, _description in entry.schema:
        has_text = has_text or text in name
        has_type = has_type or kind == column_type
    return has_text and has_type
