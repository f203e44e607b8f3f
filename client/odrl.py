"""A grant as a policy of ODRL 2.2 in JSON-LD, for programs that know the W3C's vocabulary.

What is only asked for is a Request of the operator, what a manager granted an Offer, what both have
signed an Agreement. Terms that ODRL has no word for (algorithm, kind of output, assurance) are left
operands of a profile of ours. The policy is made of the record that a node shows; whoever wants to
be sure has the record proved (`shuxin state prove grant grants ID`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias, Union

from client.grant_terms import TermsUnreadable, number_of, terms_digest, text_of, texts_of
from ledger.values import Key, Value

Json: TypeAlias = Union[None, bool, int, str, list["Json"], dict[str, "Json"]]

CONTEXT: Final = "http://www.w3.org/ns/odrl.jsonld"
PROFILE: Final = "urn:shuxin:odrl:1"
STAGES: Final[Mapping[str, str]] = {
    "requested": "Request",
    "in_review": "Request",
    "refused": "Request",
    "withdrawn": "Request",
    "granted": "Offer",
}  # all others were signed by both, or were at the least granted


def policy_of(grant: Mapping[Key, Value], chain_id: bytes) -> dict[str, Json]:
    """The policy of a grant as `grant.show` answers it. Raises TermsUnreadable."""
    digest = terms_digest(grant, chain_id)  # as well a check that every term is there
    status = text_of(grant, "status")

    def names(kind: str, name: str) -> str:
        return f"urn:shuxin:{chain_id.hex()}:{kind}:{name}"

    parties: dict[str, Json] = {"assignee": names("party", text_of(grant, "operator"))}
    if text_of(grant, "manager"):
        parties["assigner"] = names("party", text_of(grant, "manager"))
    target: Json = [names("dataset", name) for name in texts_of(grant, "datasets")]
    duties: list[Json] = [{"action": action} for action in texts_of(grant, "duties")]
    permissions: list[Json] = []
    for action in texts_of(grant, "permissions"):
        rule: dict[str, Json] = {"action": action, "target": target, **parties}
        rule["constraint"] = _constraints(grant, names("party", text_of(grant, "consumer")))
        permissions.append({**rule, "duty": duties} if duties else rule)
    prohibitions: list[Json] = [
        {"action": action, "target": target, **parties}
        for action in texts_of(grant, "prohibitions")
    ]
    policy: dict[str, Json] = {
        "@context": [CONTEXT, {"shuxin": f"{PROFILE}:", "dct": "http://purl.org/dc/terms/"}],
        "@type": _stage(grant, status),
        "uid": names("grant", text_of(grant, "id")),
        "profile": PROFILE,
        **parties,
        "permission": permissions,
    }
    if prohibitions:
        policy["prohibition"] = prohibitions
    policy["dct:isBasedOn"] = names("demand", text_of(grant, "demand_id"))
    policy["shuxin:status"] = status
    policy["shuxin:terms"] = f"sm3:{digest.hex()}"
    return policy


def _stage(grant: Mapping[Key, Value], status: str) -> str:
    if status in STAGES:
        return STAGES[status]
    return "Agreement" if number_of(grant, "accepted_ms") else "Offer"  # one revoked too early


def _constraints(grant: Mapping[Key, Value], consumer: str) -> list[Json]:
    """ODRL: all of them must hold for the permission."""
    found: list[Json] = [
        _constraint("purpose", "eq", text_of(grant, "scenario")),
        _constraint("recipient", "eq", {"@id": consumer}),
        _constraint("dateTime", "lt", _moment(number_of(grant, "expires_ms"))),
        _constraint("count", "lteq", number_of(grant, "uses_max")),
        _constraint("shuxin:algorithm", "isAnyOf", list[Json](texts_of(grant, "algorithms"))),
        _constraint("shuxin:output", "isAnyOf", list[Json](texts_of(grant, "outputs"))),
        _constraint("shuxin:assurance", "gteq", text_of(grant, "assurance")),
    ]
    if begin := number_of(grant, "from_ms"):
        found.append(_constraint("dateTime", "gteq", _moment(begin)))
    return found


def _constraint(left: str, operator: str, right: Json) -> Json:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def _moment(time_ms: int) -> Json:
    try:
        moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise TermsUnreadable(f"the answer of the node has no time: {time_ms}") from None
    return {"@type": "xsd:dateTime", "@value": moment.isoformat(timespec="milliseconds")}
