"""How an operator gives work to whom it engaged, and keeps its assets; on a `Business`.

Each function takes the way through all earlier steps, as the methods of `Business` do.
"""

from __future__ import annotations

from ledger.values import Value
from tests.business import HOUR_MS, Business, Fields, digest

DAY_MS = 24 * HOUR_MS
TEXT = digest("what is to be done")
STANDING = ("operate", "monitor")


def engaged(business: Business, party: str = "devhouse", operator: str = "opco") -> None:
    """The operator selected the party, and a manager approved."""
    engagement_id = f"x-{operator}-{party}"
    business.do(operator, "oversight", "select", engagement_id, party, "")
    business.do("bureau", "oversight", "review", engagement_id, True, "")


def terms(business: Business, kind: str = "build", party: str = "devhouse") -> list[Value]:
    """The arguments of commission.offer after the id: due in 30 days, reported on each day."""
    due_ms = business.now_ms + 30 * DAY_MS
    days = 1 if kind in STANDING else 0
    return [party, kind, "The platform", TEXT, "registry", "", "", due_ms, days]


def offered(business: Business, kind: str = "build", commission_id: str = "k1") -> str:
    engaged(business)
    business.do("opco", "commission", "offer", commission_id, *terms(business, kind))
    return commission_id


def accepted(business: Business, kind: str = "build", commission_id: str = "k1") -> str:
    offered(business, kind, commission_id)
    business.do("devhouse", "commission", "accept", commission_id, TEXT)
    return commission_id


def handed_in(business: Business, commission_id: str = "k1") -> str:
    accepted(business, commission_id=commission_id)
    business.do("devhouse", "commission", "hand_in", commission_id, [digest("work")], [], "")
    return commission_id


def approved(business: Business, commission_id: str = "k1") -> str:
    handed_in(business, commission_id)
    business.do("opco", "commission", "judge", commission_id, 1, True, "")
    return commission_id


def commission(business: Business, commission_id: str = "k1") -> Fields:
    return business.ask_record("bureau", "commission", "show", commission_id)


def described(business: Business, *, days: int = 90) -> list[Value]:
    """What a version says of an asset: the last arguments of asset.register, and the first of
    describe; its certificate ends after so many days."""
    until_ms = business.now_ms + days * DAY_MS
    return ["Keys of opco", "5.2", digest("papers"), 2, "GM001119920200001", until_ms, "room 4",
            "signs for the operator"]  # fmt: skip


def registered(
    business: Business, asset_id: str = "hsm-1", *, days: int = 90, operator: str = "opco"
) -> str:
    words: list[Value] = ["crypto_module", "chipworks", "Chipworks", "SJJ1012"]
    business.do(operator, "asset", "register", asset_id, *words, *described(business, days=days))
    return asset_id


def in_service(
    business: Business, asset_id: str = "hsm-1", *, days: int = 90, operator: str = "opco"
) -> str:
    registered(business, asset_id, days=days, operator=operator)
    business.do(operator, "asset", "put_in_service", asset_id, "installed")
    return asset_id


def asset(business: Business, asset_id: str = "hsm-1") -> Fields:
    return business.ask_record("bureau", "asset", "show", asset_id)
