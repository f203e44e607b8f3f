"""The data catalogue: which data sets there are, described, never shown (clauses 8.1.1, 8.2.2b).

A supplier describes a data set (metadata of 8.2.2b3, class and grade of 6.6.3a), collects its
rows, commits to them with a salted root, says how good they are, and registers it. The rows stay
with the supplier; the commitment makes a later change of them visible, because a task accepts only
the rows that the catalogue knows (8.1.1). The entry promises how often newer rows come (6.6.3b);
what is measured of them is kept by the contract `quality`, and `risk` judges both.

States of an entry: draft -> collected -> registered -> updated; each of them -> retired. While its
owner is suspended, and once it is revoked, an entry stands as the owner does (`standing`, `list`):
nothing new takes it, and no search finds it.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    call_contract,
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
CATEGORY_MAX = 64  # characters
UPDATE_DAYS_MAX = 3650  # ten years; 0: the rows are never renewed
DAY_MS = 24 * 3600 * 1000
LISTED = ("registered", "updated")  # what tasks, demands and grants may name
PAGE_MAX = 100  # entries in one answer
SCAN_MAX = 200  # entries that one search looks at; bounds the work of a query


@record
class Dataset:
    """An entry. `schema` has name, type and description of each column."""

    id: str
    owner: str  # party
    demand_id: str  # for which it is collected, or ""
    title: str
    description: str
    tags: list[str]
    schema: list[tuple[str, str, str]]
    category: str
    grade: int
    update_days: int  # newer rows come this often; 0: never
    drafted_ms: int
    row_count: int = 0
    commitment: bytes = b""  # root of a Merkle tree over salted rows
    version: int = 0  # of the rows: 1 once they are collected
    registered_ms: int = 0
    updated_ms: int = 0  # when the rows were last new
    status: str = "draft"
    reason: str = ""  # why it was retired


@record
class DatasetSummary:
    """A line of a list."""

    id: str
    owner: str
    title: str
    tags: list[str]
    category: str
    row_count: int
    grade: int
    version: int
    status: str  # as it stands now


@record
class Version:
    """What the rows were when."""

    number: int
    row_count: int
    commitment: bytes
    collected_ms: int


@record
class Participation:
    """How a data set takes part in computations (8.2.2b2)."""

    status: str = "unused"  # then computing, then used
    open: int = 0  # tasks under way
    finished: int = 0  # tasks that came to a result
    ended: int = 0  # tasks that ended without one


@record
class Course:
    """What other contracts judge an entry by: how much it is, and how new (6.4a, 6.6.3b)."""

    owner: str
    status: str
    version: int
    row_count: int
    updated_ms: int
    due_ms: int  # when newer rows are due; 0: never


@record
class Found:
    """One step of a search: matching ids, and where the next step starts (-1 at the end)."""

    datasets: list[str]
    next_offset: int


datasets = Map(str, Dataset)
versions = Map((str, int), Version)  # data set, version
participations = Map(str, Participation)
dataset_by_number = Map(int, str)
dataset_count = Var(int)


@call
def draft(
    dataset_id: str,
    demand_id: str,
    title: str,
    description: str,
    tags: list[str],
    schema: list[tuple[str, str, str]],
    category: str,
    grade: int,
    update_days: int,
) -> None:
    """A supplier describes a data set, by itself or because a demand asks it to (6.6.3a, 6.2d)."""
    owner = require_supplier()
    require(is_name(dataset_id), "catalog.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(dataset_id not in datasets, "catalog.exists: choose another id, or describe the entry")
    if demand_id != "":
        is_asked = view_contract("demand", "awaits", demand_id, owner, returns=bool)
        require(is_asked, "catalog.demand: name a demand that asks you to collect, or none")
    entry = Dataset(
        id=dataset_id,
        owner=owner,
        demand_id=demand_id,
        title=title,
        description=description,
        tags=tags,
        schema=schema,
        category=category,
        grade=grade,
        update_days=update_days,
        drafted_ms=ctx.time_ms,
    )
    check_text(entry)
    datasets[dataset_id] = entry
    number = dataset_count.get(0)
    dataset_by_number[number] = dataset_id
    dataset_count.set(number + 1)
    emit("DatasetDrafted", dataset_id=dataset_id, party_id=owner, demand_id=demand_id, grade=grade)


@call
def describe(
    dataset_id: str,
    title: str,
    description: str,
    tags: list[str],
    schema: list[tuple[str, str, str]],
    category: str,
    grade: int,
    update_days: int,
) -> None:
    """The owner describes the data set anew; the rows stay what they are (6.6.3a)."""
    entry = own(dataset_id)
    newer = replace(
        entry,
        title=title,
        description=description,
        tags=tags,
        schema=schema,
        category=category,
        grade=grade,
        update_days=update_days,
    )
    check_text(newer)
    datasets[dataset_id] = newer
    emit("DatasetDescribed", dataset_id=dataset_id, party_id=entry.owner, grade=grade)


@call
def collect(
    dataset_id: str, row_count: int, commitment: bytes, quality: list[tuple[str, int]]
) -> None:
    """The owner has the rows, commits to them and says how good they are (8.1.1, 6.6.3a).

    `quality` names measures, each with its share in millionths. Until the entry is registered,
    rows may be collected anew.
    """
    entry = own(dataset_id)
    require(
        entry.status in ("draft", "collected"),
        "catalog.status: it is registered; use `update` for newer rows",
    )
    new = renewed(entry, 1, row_count, commitment, quality)
    datasets[dataset_id] = replace(new, status="collected")
    emit("DatasetCollected", dataset_id=dataset_id, party_id=entry.owner, commitment=commitment)


@call
def register(dataset_id: str) -> None:
    """The owner enters collected data in the catalogue: from now on others may use them (6.2d)."""
    entry = own(dataset_id)
    require(entry.status == "collected", "catalog.status: collect its rows first, register it once")
    datasets[dataset_id] = replace(entry, status="registered", registered_ms=ctx.time_ms)
    if entry.demand_id != "":
        call_contract("demand", "take_in", entry.demand_id, entry.owner, dataset_id)
    emit(
        "DatasetRegistered",
        dataset_id=dataset_id,
        party_id=entry.owner,
        demand_id=entry.demand_id,
        commitment=entry.commitment,
    )


@call
def update(
    dataset_id: str, row_count: int, commitment: bytes, quality: list[tuple[str, int]]
) -> None:
    """The owner commits to newer rows; earlier commitments stay on record (6.6.3b)."""
    entry = own(dataset_id)
    require(entry.status in LISTED, "catalog.status: register it first; until then use `collect`")
    newer = renewed(entry, entry.version + 1, row_count, commitment, quality)
    datasets[dataset_id] = replace(newer, status="updated")
    emit(
        "DatasetUpdated",
        dataset_id=dataset_id,
        party_id=entry.owner,
        version=newer.version,
        commitment=commitment,
    )


@call
def retire(dataset_id: str, reason: str) -> None:
    """The owner takes a data set out of use for new tasks (8.2.2b2: delete)."""
    entry = own(dataset_id)
    require(1 <= len(reason) <= REASON_MAX, "catalog.reason: give a reason of 1 to 512 characters")
    datasets[dataset_id] = replace(entry, status="retired", reason=reason)
    emit("DatasetRetired", dataset_id=dataset_id, party_id=entry.owner, reason=reason)


@call
def engage(dataset_id: str, party_id: str) -> None:
    """A task takes the data set in; for the task contract alone."""
    require(ctx.sender == "contract:task", "catalog.engage: create a task; it does this itself")
    entry = known(dataset_id)
    require(entry.owner == party_id, "catalog.owner: a participant brings a data set of its own")
    require(
        entry.status in LISTED,
        "catalog.unlisted: choose a data set that is registered, not retired",
    )
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
    """Entries in the order in which they were drafted, retired ones included."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "catalog.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, dataset_count.get(0))
    return [summary(dataset_by_number[number]) for number in range(offset, end)]


@view
def standing(dataset_id: str) -> str:
    """The status at this moment, which may be that of its owner; the record keeps its own."""
    require_reader()
    return standing_of(known(dataset_id))


@view
def search(
    text: str, tag: str, column_type: str, rows_min: int, rows_max: int, offset: int
) -> Found:
    """Entries that new tasks may use and whose metadata match all that is given (8.2.2b3).

    `text` is sought in id, title, description, class and column names; "" matches all, as do an
    empty `tag` or `column_type` and a `rows_max` of 0. Each call looks at up to 200 entries.
    """
    require_reader()
    require(offset >= 0, "catalog.page: start from 0 up")
    count = dataset_count.get(0)
    end = min(offset + SCAN_MAX, count)
    found: list[str] = []
    for number in range(offset, end):
        entry = datasets[dataset_by_number[number]]
        is_sized = rows_min <= entry.row_count and (rows_max == 0 or entry.row_count <= rows_max)
        if is_sized and matches(entry, text, tag, column_type) and standing_of(entry) in LISTED:
            found.append(entry.id)
    return Found(datasets=found, next_offset=end if end < count else -1)


@view
def participation(dataset_id: str) -> Participation:
    """Whether a data set takes part in computations, and in how many it did (8.2.2b2)."""
    require_reader()
    return participations.get(dataset_id, Participation())


@view
def version(dataset_id: str, number: int) -> Version:
    """What the supplier committed to at that time; 1 is the first."""
    require_reader()
    found = versions.get((dataset_id, number))
    if found is None:
        fail("catalog.version: see `show` for the data set and its latest version")
    return found


@view
def course(dataset_id: str) -> Course:
    """Whose it is, how much, and when newer rows are due; for other contracts."""
    entry = known(dataset_id)
    is_renewed = entry.status in LISTED and entry.update_days > 0
    return Course(
        owner=entry.owner,
        status=entry.status,
        version=entry.version,
        row_count=entry.row_count,
        updated_ms=entry.updated_ms,
        due_ms=entry.updated_ms + entry.update_days * DAY_MS if is_renewed else 0,
    )


@view
def owner_of(dataset_id: str) -> str:
    """The party that described the data set; "" if it is unknown."""
    entry = datasets.get(dataset_id)
    return "" if entry is None else entry.owner


@view
def grade_of(dataset_id: str) -> int:
    """How sensitive a data set is, 1 to 4; 0 if it is unknown."""
    entry = datasets.get(dataset_id)
    return 0 if entry is None else entry.grade


@view
def listed_by(dataset_id: str) -> str:
    """The owner, if the data set may be used for new tasks; else ""."""
    entry = datasets.get(dataset_id)
    return entry.owner if entry is not None and standing_of(entry) in LISTED else ""


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


def own(dataset_id: str) -> Dataset:
    party = require_supplier()
    entry = known(dataset_id)
    require(entry.owner == party, "catalog.owner: only the supplier that described it may do this")
    require(entry.status != "retired", "catalog.retired: enter the data under a new id")
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
        category=entry.category,
        row_count=entry.row_count,
        grade=entry.grade,
        version=entry.version,
        status=standing_of(entry),
    )


def standing_of(entry: Dataset) -> str:
    """Its status, or how its owner is kept from acting."""
    is_active = view_contract("parties", "is_active", entry.owner, returns=bool)
    if entry.status == "retired" or is_active:
        return entry.status
    is_revoked = view_contract("parties", "is_revoked", entry.owner, returns=bool)
    return "revoked" if is_revoked else "suspended"


def check_text(entry: Dataset) -> None:
    require(1 <= len(entry.title) <= TITLE_MAX, "catalog.title: use 1 to 128 characters")
    require(len(entry.description) <= TEXT_MAX, "catalog.description: use up to 2048 characters")
    require(1 <= len(entry.category) <= CATEGORY_MAX, "catalog.category: use 1 to 64 characters")
    require(1 <= entry.grade <= GRADE_MAX, "catalog.grade: use 1 (public) to 4 (highly sensitive)")
    require(
        0 <= entry.update_days <= UPDATE_DAYS_MAX,
        "catalog.update_days: use 0 to 3650 days; 0 is for rows that are never renewed",
    )
    require(len(entry.tags) <= TAGS_MAX, "catalog.tags: use up to 16 tags")
    for tag in entry.tags:
        require(1 <= len(tag) <= TAG_MAX, "catalog.tag: use 1 to 32 characters")
    require(1 <= len(entry.schema) <= COLUMNS_MAX, "catalog.schema: describe 1 to 64 columns")
    for name, kind, text in entry.schema:
        require(1 <= len(name) <= COLUMN_NAME_MAX, "catalog.column: name it in 1 to 64 characters")
        require(1 <= len(kind) <= COLUMN_TYPE_MAX, "catalog.column: type it in 1 to 32 characters")
        require(len(text) <= COLUMN_TEXT_MAX, "catalog.column: describe it in up to 128 characters")


def renewed(
    entry: Dataset,
    number: int,
    row_count: int,
    commitment: bytes,
    quality: list[tuple[str, int]],
) -> Dataset:
    """The entry with these rows as its version `number`, which stays on record."""
    require(0 <= row_count <= ROWS_MAX, "catalog.row_count: use 0 to 10**12")
    require(len(commitment) == DIGEST_SIZE, "catalog.commitment: use 32 bytes of SM3")
    versions[entry.id, number] = Version(number, row_count, commitment, ctx.time_ms)
    call_contract("quality", "declare", entry.id, number, row_count, entry.owner, quality)
    return replace(
        entry,
        row_count=row_count,
        commitment=commitment,
        version=number,
        updated_ms=ctx.time_ms,
    )


def matches(entry: Dataset, text: str, tag: str, column_type: str) -> bool:
    if tag != "" and tag not in entry.tags:
        return False
    has_text = text == "" or text in entry.id or text in entry.title
    has_text = has_text or text in entry.description or text in entry.category
    has_type = column_type == ""
    for name, kind, _description in entry.schema:
        has_text = has_text or text in name
        has_type = has_type or kind == column_type
    return has_text and has_type
