"""The manager's tariff: what a unit of each service costs, in versions (clause 6.6.1c).

A version holds from a height on until the next one does, so that everybody can say what a service
cost when it was metered (contract `billing`). The services `task`, `dataset` and `delivery` are
what the chain meters itself; any other one is for agreements to name. Amounts are fen.

A manager that announced a wrong version withdraws it before its height comes.

States of a version, by height: announced -> effective -> superseded; announced -> withdrawn.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    is_name,
    record,
    replace,
    require,
    view,
    view_contract,
)

SERVICES_MAX = 64  # of one version
PRICE_MAX = 10**15  # fen a unit: ten trillion yuan, as in an agreement
LEAD_MAX = 10**8  # heights: a version may be announced some years ahead, not for ever
TEXT_MAX = 512  # characters of where the text is kept
DIGEST_SIZE = 32  # bytes: SM3
PAGE_MAX = 100  # versions in one answer


@record
class Tariff:
    """A version; it holds at the heights from `from_height` on and below `until_height`."""

    number: int
    digest: bytes  # SM3 of the text for people
    location: str  # where parties find the text
    prices: list[tuple[str, int]]  # service, fen for a unit
    manager: str  # party that enacted it
    enacted_ms: int
    from_height: int
    until_height: int = 0  # 0: until further notice
    before: int = 0  # the version that it supersedes; 0 if none
    status: str = "announced"


@record
class Price:
    """What a unit costs at this height; `tariff` is 0 where no version is in force."""

    service: str
    price_fen: int
    tariff: int
    is_named: bool  # by that version; what it does not name is free


tariffs = Map(int, Tariff)
tariff_count = Var(int)
latest = Var(int)  # number of the last version that was not withdrawn; 0 if none


@call
def enact(
    number: int, digest: bytes, location: str, prices: list[tuple[str, int]], from_height: int
) -> None:
    """A manager puts the next version in force from a height on (6.6.1c)."""
    manager = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(manager != "", "tariff.role: sign with an account of an active manager")
    require(number == tariff_count.get(0) + 1, "tariff.number: give the next one; see `list`")
    require(len(digest) == DIGEST_SIZE, "tariff.digest: use 32 bytes of SM3")
    require(len(location) <= TEXT_MAX, "tariff.location: use up to 512 characters")
    require(
        ctx.height < from_height <= ctx.height + LEAD_MAX,
        "tariff.from_height: give a height that is still to come",
    )
    check_prices(prices)
    before = latest.get(0)
    if before > 0:
        last = tariffs[before]
        require(
            last.from_height <= ctx.height,
            "tariff.announced: the version before is not in force yet; wait, or withdraw it",
        )
        tariffs[before] = replace(last, until_height=from_height)
    tariffs[number] = Tariff(
        number, digest, location, prices, manager, ctx.time_ms, from_height, before=before
    )
    tariff_count.set(number)
    latest.set(number)
    emit("TariffEnacted", number=number, party_id=manager, digest=digest, from_height=from_height)


@call
def withdraw(number: int) -> None:
    """A manager takes back what is only announced; the version before goes on."""
    manager = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(manager != "", "tariff.role: sign with an account of an active manager")
    require(1 <= number == latest.get(0), "tariff.number: only the last one can be announced")
    found = tariffs[number]
    require(ctx.height < found.from_height, "tariff.in_force: enact another version instead")
    tariffs[number] = replace(found, status="withdrawn")
    latest.set(found.before)
    if found.before > 0:
        tariffs[found.before] = replace(tariffs[found.before], until_height=0)
    emit("TariffWithdrawn", number=number, party_id=manager)


@view
def show(number: int) -> Tariff:
    """A version as it stands at this height."""
    require_reader()
    require(1 <= number <= tariff_count.get(0), "tariff.number: no such version; see `list`")
    return dated(tariffs[number])


@view
def list_(offset: int, limit: int) -> list[Tariff]:
    """All versions in order."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "tariff.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, tariff_count.get(0))
    return [dated(tariffs[number + 1]) for number in range(offset, end)]


@view
def price_of(service: str) -> Price:
    """What a unit of a service costs at this height; anybody may know it."""
    number = latest.get(0)
    # Only the last one may still be announced: `enact` waits for it.
    if number > 0 and tariffs[number].from_height > ctx.height:
        number = tariffs[number].before
    if number > 0:
        for name, price_fen in tariffs[number].prices:
            if name == service:
                return Price(service, price_fen, number, True)
    return Price(service, 0, number, False)


def check_prices(prices: list[tuple[str, int]]) -> None:
    require(1 <= len(prices) <= SERVICES_MAX, "tariff.prices: name 1 to 64 services")
    names: list[str] = []
    for service, price_fen in prices:
        require(is_name(service), "tariff.service: use 1 to 64 characters of a-z 0-9 _ - .")
        require(service not in names, "tariff.service_twice: name each once")
        names.append(service)
        require(0 <= price_fen <= PRICE_MAX, "tariff.price: use 0 to 10**15 fen")


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "tariff.reader: sign with an account of an active party")


def dated(found: Tariff) -> Tariff:
    if found.status == "withdrawn" or ctx.height < found.from_height:
        return found
    is_over = found.until_height != 0 and ctx.height >= found.until_height
    return replace(found, status="superseded" if is_over else "effective")
