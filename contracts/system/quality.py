"""How good catalogued rows are, measured by whom, and whether it falls (clauses 6.4a, 6.6.3b).

A supplier says with every version of its rows how good they are; it, an operator or a manager may
measure them again at any time. Each figure is that of one measure (GB/T 36344) in millionths, and
keeps the best that it was before: a fall is seen at once, be it that newer rows are worse or that
somebody else finds less than the supplier said. So is the most rows that a version had. Newer rows
that are no better hide neither; when who supervises the supplier closes the alert about a fall, the
rows are measured by what they are from then on. All measurements stay on record.

States: none. A figure is that of the latest measurement that named its measure.
"""

from __future__ import annotations

from contracts.dialect import Map, call, ctx, emit, record, replace, require, view, view_contract

MEASURES = (
    "accuracy",
    "completeness",
    "conformity",
    "consistency",
    "timeliness",
    "accessibility",
)
WHOLE_PPM = 10**6
DIGEST_SIZE = 32  # bytes: SM3
LISTED = ("registered", "updated")  # statuses of entries that others may use
DATASETS_MAX = 50  # looked at in one view
PAGE_MAX = 100  # measurements in one answer


@record
class Figure:
    """`before_ppm` is the best of what was measured before, by another party or of other rows; -1:
    nothing. Who measures the same rows again corrects itself, and who finds what another found
    confirms it: neither hides a fall."""

    measure: str
    ppm: int
    before_ppm: int
    version: int  # of the rows that were measured
    party: str  # that measured
    measured_ms: int


@record
class Measurement:
    """What one party found in one version of the rows."""

    number: int
    version: int
    party: str
    figures: list[tuple[str, int]]  # measure, millionths
    report: bytes  # SM3 of the report, or empty
    measured_ms: int


@record
class Quality:
    """How good the rows are now."""

    id: str  # of the data set
    figures: list[Figure]
    measurements: int  # how many there were


@record
class Course:
    """What the contract `risk` judges a data set by."""

    owner: str
    is_listed: bool
    lost_percent: int  # of the rows, against the version that had most
    fallen_ppm: int  # the largest fall of a figure
    due_ms: int  # when newer rows are due; 0: never


@record
class Entry:
    """What the contract `catalog` tells of a data set."""

    owner: str
    status: str
    version: int
    row_count: int
    updated_ms: int
    due_ms: int


@record
class Monitored:
    """Quantity, quality and renewal of a data set (6.4a)."""

    id: str
    owner: str
    status: str
    version: int
    row_count: int
    rows_most: int  # that a version had
    worst_ppm: int  # the lowest figure; -1: there is none
    fallen_ppm: int
    updated_ms: int
    due_ms: int  # when newer rows are due; 0: never


latest = Map(str, list[Figure])  # data set -> one figure for each measure that was named
measurements = Map((str, int), Measurement)  # data set, 1.. in order
measurement_count = Map(str, int)
most = Map(str, int)  # data set -> the most rows that a version had


@call
def declare(
    dataset_id: str, version: int, row_count: int, party_id: str, figures: list[tuple[str, int]]
) -> None:
    """What a supplier says of new rows; for the catalog contract alone."""
    require(ctx.sender == "contract:catalog", "quality.declare: collect rows; it declares them")
    if version == 1:
        latest[dataset_id] = []  # rows that were never registered are compared with nothing
        most[dataset_id] = row_count
    most[dataset_id] = max(most[dataset_id], row_count)
    enter(dataset_id, version, party_id, figures, b"")


@call
def measure(dataset_id: str, figures: list[tuple[str, int]], report: bytes) -> None:
    """Its supplier, an operator or a manager puts on record how good the rows are (6.4a)."""
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    entry = view_contract("catalog", "course", dataset_id, returns=Entry)
    require(
        party == entry.owner or has_role(party, "operator") or has_role(party, "manager"),
        "quality.role: sign for its supplier, an active operator or a manager",
    )
    require(entry.status in LISTED, "quality.unlisted: choose a data set that is registered")
    require(len(report) in (0, DIGEST_SIZE), "quality.report: use 32 bytes of SM3, or none")
    enter(dataset_id, entry.version, party, figures, report)


@call
def rebase(dataset_id: str, check_name: str, measured: int) -> None:
    """A fall was dealt with: from now on the rows are measured by what they are. What fell further
    than `measured`, which the supervisor knew, stays found. For the alert contract alone."""
    require(ctx.sender == "contract:alert", "quality.rebase: close the alert; it does this itself")
    if check_name == "quality_fallen":
        latest[dataset_id] = [
            replace(figure, before_ppm=-1) if fall_of(figure) <= measured else figure
            for figure in latest.get(dataset_id, [])
        ]
    else:
        found = monitored(dataset_id)
        if lost_of(found) <= measured:
            most[dataset_id] = found.row_count
    emit("QualityRebased", dataset_id=dataset_id, check_name=check_name, measured=measured)


@view
def show(dataset_id: str) -> Quality:
    """The present figures of a data set."""
    require_reader()
    owner = view_contract("catalog", "owner_of", dataset_id, returns=str)
    require(owner != "", "quality.unknown: no data set has this id; see `catalog list`")
    return Quality(dataset_id, latest.get(dataset_id, []), measurement_count.get(dataset_id, 0))


@view
def history(dataset_id: str, offset: int, limit: int) -> list[Measurement]:
    """All measurements of a data set, oldest first."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "quality.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, measurement_count.get(dataset_id, 0))
    return [measurements[dataset_id, number + 1] for number in range(offset, end)]


@view
def monitor(datasets: list[str]) -> list[Monitored]:
    """Quantity, quality and renewal of up to 50 data sets (6.4a)."""
    require_reader()
    require(len(datasets) <= DATASETS_MAX, "quality.datasets: ask about up to 50")
    return [monitored(dataset_id) for dataset_id in datasets]


@view
def course(dataset_id: str) -> Course:
    """How much worse, fewer or older than it should be; for other contracts."""
    found = monitored(dataset_id)
    return Course(
        owner=found.owner,
        is_listed=found.status in LISTED,
        lost_percent=lost_of(found),
        fallen_ppm=found.fallen_ppm,
        due_ms=found.due_ms,
    )


def has_role(party: str, role: str) -> bool:
    return view_contract("parties", "party_has_role", party, role, returns=bool)


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "quality.reader: sign with an account of an active party")


def enter(
    dataset_id: str, version: int, party: str, figures: list[tuple[str, int]], report: bytes
) -> None:
    require(1 <= len(figures) <= len(MEASURES), "quality.figures: give 1 to 6 measures")
    known = latest.get(dataset_id, [])
    before: dict[str, int] = {}
    for figure in known:
        is_corrected = figure.version == version and figure.party == party
        before[figure.measure] = max(-1 if is_corrected else figure.ppm, figure.before_ppm)
    named: list[str] = []
    new: list[Figure] = []
    for name, ppm in figures:
        require(name in MEASURES, "quality.measure: use one of GB/T 36344, such as completeness")
        require(name not in named, "quality.measure_twice: give each measure once")
        require(0 <= ppm <= WHOLE_PPM, "quality.ppm: use 0 to 1000000 millionths")
        named.append(name)
        new.append(Figure(name, ppm, before.get(name, -1), version, party, ctx.time_ms))
    latest[dataset_id] = [figure for figure in known if figure.measure not in named] + new
    number = measurement_count.get(dataset_id, 0) + 1
    measurement_count[dataset_id] = number
    measurements[dataset_id, number] = Measurement(
        number, version, party, figures, report, ctx.time_ms
    )
    emit(
        "QualityMeasured",
        dataset_id=dataset_id,
        party_id=party,
        version=version,
        number=number,
        figures=figures,
    )


def fall_of(figure: Figure) -> int:
    return max(figure.before_ppm - figure.ppm, 0)


def lost_of(found: Monitored) -> int:
    """In percent, rounded down."""
    return max(found.rows_most - found.row_count, 0) * 100 // max(found.rows_most, 1)


def monitored(dataset_id: str) -> Monitored:
    entry = view_contract("catalog", "course", dataset_id, returns=Entry)
    figures = latest.get(dataset_id, [])
    return Monitored(
        id=dataset_id,
        owner=entry.owner,
        status=entry.status,
        version=entry.version,
        row_count=entry.row_count,
        rows_most=most.get(dataset_id, 0),
        worst_ppm=min([figure.ppm for figure in figures]) if len(figures) > 0 else -1,
        fallen_ppm=max([0] + [fall_of(figure) for figure in figures]),
        updated_ms=entry.updated_ms,
        due_ms=entry.due_ms,
    )
