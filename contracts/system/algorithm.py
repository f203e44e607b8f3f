"""Algorithm images: what executors may run (clauses 6.6.5, 8.4.4, 8.5c).

A tech provider proposes an algorithm, NAME/VERSION, with its parameters and its first build: the
SM3 of the image and of its directory structure, signed by the provider's publisher. A manager
vets a build by its digest. Tasks run only what is approved; executors run only the builds that
were: the current one, and the one before it while they are brought up to date. The algorithms that
the founders agreed on with the genesis are approved with it, without a publisher's signature.

States: proposed -> approved | refused; refused -> proposed (by a new build); approved <-> suspended
(by an incident); approved | suspended -> disabled. A build waits, is vetted, is superseded.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    fail,
    init,
    int_to_bytes,
    is_name,
    record,
    replace,
    require,
    sm2_verify,
    sm3,
    to_hex,
    view,
    view_contract,
)

KINDS = ("mpc", "psi", "fl", "tee")  # which protection it computes under
ID_MAX = 64  # characters of NAME/VERSION: what a grant may name
TITLE_MAX = 128  # characters
LOCATION_MAX = 256  # characters: where the image is kept, such as an OCI reference
PARAMETERS_MAX = 16
PARAMETER_TYPE_MAX = 32  # characters
PARAMETER_TEXT_MAX = 128  # characters
NOTE_MAX = 1024  # characters
REASON_MAX = 512  # characters: what `incident` takes, too
DIGEST_SIZE = 32  # bytes: SM3
KEY_SIZE = 64  # bytes: SM2 public key X || Y, and a signature r || s
ADDRESS_LENGTH = 40  # hex digits of an account
DOMAIN = b"shuxin algorithm image 1"  # begins what a publisher signs
PAGE_MAX = 100  # algorithms in one answer


@record
class Build:
    """One image of an algorithm; `number` is 0 until it is approved, then 1, 2 and so on."""

    digest: bytes  # of the image: of the list of its files with their sizes and digests
    layout_digest: bytes  # of the list of the files' paths alone: the directory structure
    location: str
    publisher_key: bytes
    signature: bytes
    proposed_ms: int
    number: int = 0


@record
class Algorithm:
    """`note` says why it has its status; `waiting` is the build that a manager has to vet."""

    id: str
    title: str
    kind: str
    parameters: list[tuple[str, str, str]]  # name, type, what it means
    provider: str  # party
    proposed_ms: int
    status: str = "proposed"
    builds: int = 0  # that were approved
    current: Build | None = None
    previous: Build | None = None
    waiting: Build | None = None
    decided_by: str = ""  # party; "" of the genesis
    decided_ms: int = 0
    note: str = ""


@record
class Course:
    """What an incident judges an algorithm by."""

    status: str
    provider: str


algorithms = Map(str, Algorithm)
algorithm_by_number = Map(int, str)
algorithm_count = Var(int)


@init
def setup(
    agreed: list[tuple[str, str, str, list[tuple[str, str, str]], str, str, bytes, bytes]],
) -> None:
    """The algorithms of the genesis: id, title, kind, parameters, provider, location, digests."""
    require(len(agreed) <= PAGE_MAX, "algorithm.agreed: a genesis takes up to 100")
    for algorithm_id, title, kind, parameters, provider, location, digest, layout in agreed:
        is_provider = view_contract(
            "parties", "party_has_role", provider, "tech_provider", returns=bool
        )
        require(is_provider, "algorithm.role: its provider must be a tech provider")
        check_description(algorithm_id, title, kind, parameters)
        check_image(location, digest, layout)
        build = Build(digest, layout, location, b"", b"", ctx.time_ms, 1)
        enlist(
            Algorithm(
                id=algorithm_id,
                title=title,
                kind=kind,
                parameters=parameters,
                provider=provider,
                proposed_ms=ctx.time_ms,
                status="approved",
                builds=1,
                current=build,
                decided_ms=ctx.time_ms,
                note="agreed on with the genesis",
            )
        )


@call
def propose(
    algorithm_id: str,
    title: str,
    kind: str,
    parameters: list[tuple[str, str, str]],
    location: str,
    digest: bytes,
    layout_digest: bytes,
    publisher_key: bytes,
    signature: bytes,
) -> None:
    """A tech provider puts an algorithm and its first image up for vetting (6.6.5, 8.5c)."""
    provider = require_provider()
    check_description(algorithm_id, title, kind, parameters)
    proposed = Algorithm(algorithm_id, title, kind, parameters, provider, ctx.time_ms)
    build = built(proposed, location, digest, layout_digest, publisher_key, signature)
    enlist(replace(proposed, waiting=build))
    emit(
        "AlgorithmProposed",
        algorithm_id=algorithm_id,
        provider=provider,
        kind=kind,
        digest=digest,
        layout_digest=layout_digest,
    )


@call
def rebuild(
    algorithm_id: str,
    location: str,
    digest: bytes,
    layout_digest: bytes,
    publisher_key: bytes,
    signature: bytes,
) -> None:
    """Its provider puts another image up; the approved ones run on meanwhile (6.6.5)."""
    provider = require_provider()
    found = known(algorithm_id)
    require(found.provider == provider, "algorithm.owner: only its provider may rebuild it")
    require(
        found.status in ("proposed", "refused", "approved"),
        "algorithm.status: it is suspended or disabled; propose another version",
    )
    require(not is_approved(found, digest), "algorithm.build: this image is approved already")
    build = built(found, location, digest, layout_digest, publisher_key, signature)
    status = "approved" if found.status == "approved" else "proposed"
    algorithms[algorithm_id] = replace(found, waiting=build, status=status)
    emit(
        "AlgorithmRebuilt",
        algorithm_id=algorithm_id,
        provider=provider,
        digest=digest,
        layout_digest=layout_digest,
    )


@call
def review(algorithm_id: str, digest: bytes, passed: bool, note: str) -> None:
    """A manager vets the image that waits, naming its digest; it may not be its own (6.6.1)."""
    manager = require_manager()
    found = known(algorithm_id)
    build = found.waiting
    if build is None:
        fail("algorithm.waiting: no image waits for a decision; see `show`")
    require(found.provider != manager, "algorithm.self: another manager must vet your algorithm")
    require(
        found.status in ("proposed", "approved"), "algorithm.status: it is suspended or disabled"
    )
    require(build.digest == digest, "algorithm.digest: another image waits by now; see `show`")
    require(len(note) <= NOTE_MAX, "algorithm.note: use up to 1024 characters")
    decided = replace(found, waiting=None, decided_by=manager, decided_ms=ctx.time_ms, note=note)
    if passed:
        number = found.builds + 1
        decided = replace(
            decided,
            status="approved",
            builds=number,
            current=replace(build, number=number),
            previous=found.current,
        )
    elif found.status == "proposed":
        decided = replace(decided, status="refused")
    algorithms[algorithm_id] = decided
    emit(
        "AlgorithmReviewed",
        algorithm_id=algorithm_id,
        provider=found.provider,
        manager=manager,
        digest=digest,
        passed=passed,
    )


@call
def disable(algorithm_id: str, reason: str) -> None:
    """A manager takes an algorithm out of use for good; what ran under it reports no more."""
    manager = require_manager()
    found = known(algorithm_id)
    require(
        found.status in ("approved", "suspended"),
        "algorithm.status: only what was approved can be disabled",
    )
    require(1 <= len(reason) <= REASON_MAX, "algorithm.reason: give 1 to 512 characters")
    algorithms[algorithm_id] = replace(
        found,
        status="disabled",
        waiting=None,
        decided_by=manager,
        decided_ms=ctx.time_ms,
        note=reason,
    )
    emit("AlgorithmDisabled", algorithm_id=algorithm_id, provider=found.provider, reason=reason)


@call
def suspend(algorithm_id: str, reason: str) -> None:
    """An emergency measure, for the contract incident alone: no task begins, goes on or reports."""
    require(ctx.sender == "contract:incident", "algorithm.suspend: open an incident; it does this")
    found = known(algorithm_id)
    require(found.status == "approved", "algorithm.status: it is not in use")
    algorithms[algorithm_id] = replace(found, status="suspended", note=reason)
    emit("AlgorithmSuspended", algorithm_id=algorithm_id, provider=found.provider, reason=reason)


@call
def resume(algorithm_id: str, reason: str) -> None:
    """The measure is lifted, by the contract incident alone."""
    require(ctx.sender == "contract:incident", "algorithm.resume: lift the measure of its incident")
    found = known(algorithm_id)
    require(found.status == "suspended", "algorithm.status: it is not suspended")
    algorithms[algorithm_id] = replace(found, status="approved", note=reason)
    emit("AlgorithmResumed", algorithm_id=algorithm_id, provider=found.provider, reason=reason)


@view
def show(algorithm_id: str) -> Algorithm:
    """One algorithm with its images: every active party may see what runs on data (8.5c)."""
    require_reader()
    return known(algorithm_id)


@view
def list_(offset: int, limit: int) -> list[Algorithm]:
    """Algorithms in order of entry."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "algorithm.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, algorithm_count.get(0))
    return [algorithms[algorithm_by_number[number]] for number in range(offset, end)]


@view
def course(algorithm_id: str) -> Course:
    """How an algorithm stands, and whose it is; for other contracts."""
    found = known(algorithm_id)
    return Course(found.status, found.provider)


@view
def ensure_runnable(algorithm_id: str) -> bool:
    """True, or a refusal that says why no task may run it now; for other contracts."""
    found = known(algorithm_id)
    require(
        found.status != "suspended", "algorithm.on_hold: an incident suspends it; wait for its end"
    )
    require(
        found.status != "disabled", "algorithm.disabled: it is out of use; take another version"
    )
    require(found.status == "approved", "algorithm.unapproved: a manager must approve it first")
    require(
        view_contract("parties", "is_active", found.provider, returns=bool),
        "algorithm.provider: its provider is suspended; wait for its return",
    )
    return True


def require_provider() -> str:
    party = view_contract("parties", "acting_as", ctx.sender, "tech_provider", returns=str)
    require(party != "", "algorithm.role: sign with an account of an active tech provider")
    return party


def require_manager() -> str:
    party = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(party != "", "algorithm.role: sign with an account of an active manager")
    return party


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "algorithm.reader: sign with an account of an active party")


def known(algorithm_id: str) -> Algorithm:
    found = algorithms.get(algorithm_id)
    if found is None:
        fail("algorithm.unknown: no algorithm has this id; look for it with `list`")
    return found


def is_approved(found: Algorithm, digest: bytes) -> bool:
    current = found.current
    return current is not None and current.digest == digest


def check_description(
    algorithm_id: str, title: str, kind: str, parameters: list[tuple[str, str, str]]
) -> None:
    require(len(algorithm_id) <= ID_MAX, "algorithm.id: use NAME/VERSION of up to 64 characters")
    parts = algorithm_id.split("/")
    require(
        len(parts) == 2 and is_name(parts[0]) and is_name(parts[1]),
        "algorithm.id: use NAME/VERSION, each of a-z 0-9 _ - .",
    )
    require(algorithm_id not in algorithms, "algorithm.exists: rebuild it, or choose a new version")
    require(1 <= len(title) <= TITLE_MAX, "algorithm.title: use 1 to 128 characters")
    require(kind in KINDS, "algorithm.kind: use mpc, psi, fl or tee")
    require(len(parameters) <= PARAMETERS_MAX, "algorithm.parameters: describe up to 16")
    seen: list[str] = []
    for name, form, text in parameters:
        require(
            is_name(name) and name not in seen,
            "algorithm.parameter_name: name each once, in 1 to 64 of a-z 0-9 _ - .",
        )
        seen.append(name)
        require(1 <= len(form) <= PARAMETER_TYPE_MAX, "algorithm.parameter_type: use 1 to 32")
        require(len(text) <= PARAMETER_TEXT_MAX, "algorithm.parameter_text: use up to 128")


def check_image(location: str, digest: bytes, layout_digest: bytes) -> None:
    require(1 <= len(location) <= LOCATION_MAX, "algorithm.location: use 1 to 256 characters")
    require(
        len(digest) == DIGEST_SIZE and len(layout_digest) == DIGEST_SIZE,
        "algorithm.image: use 32 bytes of SM3 for image and directory structure",
    )


def built(
    algorithm: Algorithm,
    location: str,
    digest: bytes,
    layout_digest: bytes,
    publisher_key: bytes,
    signature: bytes,
) -> Build:
    """A build whose publisher belongs to the provider and signed it (8.4.4a)."""
    check_image(location, digest, layout_digest)
    require(
        len(publisher_key) == KEY_SIZE and len(signature) == KEY_SIZE,
        "algorithm.signature: give key and signature of the publisher, 64 bytes each",
    )
    address = to_hex(sm3(publisher_key))[:ADDRESS_LENGTH]
    require(
        is_publisher(algorithm.provider, address),
        "algorithm.publisher: use a key of your party or of its publisher certificate",
    )
    require(
        sm2_verify(publisher_key, signed_bytes(algorithm, digest, layout_digest), signature),
        "algorithm.signature: the publisher did not sign this image for this chain",
    )
    return Build(digest, layout_digest, location, publisher_key, signature, ctx.time_ms)


def is_publisher(provider: str, address: str) -> bool:
    if view_contract("parties", "party_of", address, returns=str) == provider:
        return True
    organization, roles = view_contract(
        "identity", "standing", address, returns=tuple[str, list[str]]
    )
    return organization == provider and "publisher" in roles


def signed_bytes(algorithm: Algorithm, digest: bytes, layout_digest: bytes) -> bytes:
    """What a publisher signs: for this chain, this algorithm of this party, in one reading only."""
    parts = [algorithm.id, algorithm.provider]
    for name, form, text in algorithm.parameters:
        parts.extend([name, form, text])
    message = DOMAIN + ctx.chain_id + digest + layout_digest
    for part in parts:
        content = part.encode()
        message += int_to_bytes(len(content), 2) + content
    return message


def enlist(algorithm: Algorithm) -> None:
    algorithms[algorithm.id] = algorithm
    number = algorithm_count.get(0)
    algorithm_by_number[number] = algorithm.id
    algorithm_count.set(number + 1)
