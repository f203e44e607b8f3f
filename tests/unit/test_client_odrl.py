"""A grant as ODRL: every word is of the vocabulary, and the policy has what the model asks for."""

from __future__ import annotations

from datetime import datetime

import pytest

from client.grant_terms import TermsUnreadable, terms_digest
from client.odrl import PROFILE, Json, policy_of
from contracts.system import preapproval
from ledger.values import Key, Value
from tests.business import Business, changed

CHAIN_ID = bytes(32)
# The terms of https://www.w3.org/ns/odrl/2/ that are not deprecated in ODRL 2.2.
ACTIONS_TEXT = """
    acceptTracking aggregate annotate anonymize archive attribute compensate concurrentUse
    delete derive digitize display distribute ensureExclusivity execute extract give
    grantUse include index inform install modify move nextPolicy obtainConsent play present
    print read reproduce reviewPolicy sell stream synchronize textToSpeech transfer
    transform translate uninstall use watermark
"""
ACTIONS = frozenset(ACTIONS_TEXT.split())
LEFT_OPERANDS_TEXT = """
    absolutePosition absoluteSize absoluteSpatialPosition absoluteTemporalPosition count
    dateTime delayPeriod deliveryChannel elapsedTime event fileFormat industry language
    media meteredTime payAmount percentage product purpose recipient relativePosition
    relativeSize relativeSpatialPosition relativeTemporalPosition resolution spatial
    spatialCoordinates systemDevice timeInterval unitOfCount version virtualLocation
"""
LEFT_OPERANDS = frozenset(LEFT_OPERANDS_TEXT.split())
OPERATORS_TEXT = """
    eq gt gteq hasPart isA isAllOf isAnyOf isNoneOf isPartOf lt lteq neq
"""
OPERATORS = frozenset(OPERATORS_TEXT.split())
POLICIES = {"Agreement": {"assigner", "assignee"}, "Offer": {"assigner"}, "Request": {"assignee"}}
OF_POLICY = {"@context", "@type", "uid", "profile", "assigner", "assignee", "permission",
             "prohibition"}  # fmt: skip
OWN = {"shuxin:algorithm", "shuxin:output", "shuxin:assurance"}


def shown(business: Business) -> dict[Key, Value]:
    found: dict[Key, Value] = {}
    found.update(business.ask_record("opco", "grant", "show", "g1").items())
    return found


def record_of(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


def items_of(value: Json) -> list[dict[str, Json]]:
    assert isinstance(value, list) and value, "an empty property says nothing in JSON-LD"
    return [record_of(item) for item in value]


def check(policy: dict[str, Json]) -> None:
    """The information model of ODRL 2.2, as far as such a policy goes."""
    kind = policy["@type"]
    assert isinstance(kind, str) and POLICIES[kind] <= set(policy)
    assert policy["uid"] and policy["profile"] == PROFILE, "other left operands need a profile"
    beyond = {name for name in set(policy) - OF_POLICY if not name.startswith(("shuxin:", "dct:"))}
    assert beyond == set()
    for permission in items_of(policy["permission"]):
        check_rule(permission, {"duty", "constraint"})
        for duty in items_of(permission["duty"]) if "duty" in permission else ():
            assert set(duty) == {"action"} and duty["action"] in ACTIONS
        for constraint in items_of(permission["constraint"]):
            assert set(constraint) == {"leftOperand", "operator", "rightOperand"}
            assert constraint["operator"] in OPERATORS
            assert constraint["leftOperand"] in LEFT_OPERANDS | OWN
    for prohibition in items_of(policy["prohibition"]) if "prohibition" in policy else ():
        check_rule(prohibition, set())


def check_rule(rule: dict[str, Json], further: set[str]) -> None:
    assert rule["action"] in ACTIONS and isinstance(rule["target"], list) and rule["target"]
    assert set(rule) - {"assigner", "assignee"} - further == {"action", "target"}


def test_what_a_grant_may_say_are_words_of_odrl() -> None:
    assert set(preapproval.ACTIONS) <= ACTIONS and set(preapproval.DUTIES) <= ACTIONS


def test_the_policy_goes_from_request_over_offer_to_agreement() -> None:
    business = Business()
    business.requested()
    kinds = []
    signed = business.terms_digest("g1")
    steps: list[tuple[str, str, list[Value]]] = [
        ("bureau", "review", []),
        ("bureau", "decide", [True, "", signed]),
        ("opco", "accept", [signed]),
        ("bureau", "revoke", ["misuse"]),
    ]
    for who, method, args in [("", "", list[Value]()), *steps]:
        if who:
            business.do(who, "grant", method, "g1", *args)
        policy = policy_of(shown(business), CHAIN_ID)
        check(policy)
        kinds.append((policy["@type"], policy["shuxin:status"]))
    assert kinds == [
        ("Request", "requested"),
        ("Request", "in_review"),
        ("Offer", "granted"),
        ("Agreement", "active"),
        ("Agreement", "revoked"),
    ]


def test_one_revoked_before_the_second_signature_was_never_an_agreement() -> None:
    business = Business()
    business.signed()
    business.do("bureau", "grant", "revoke", "g1", "no longer lawful")
    assert policy_of(shown(business), CHAIN_ID)["@type"] == "Offer"


def test_the_policy_says_all_that_was_signed() -> None:
    business = Business()
    business.approved()
    begin_ms = business.now_ms + 1
    business.authorize("g1", changed(business.grant_terms(), 8, begin_ms))
    grant = shown(business)
    policy = policy_of(grant, CHAIN_ID)
    base = f"urn:shuxin:{'00' * 32}"
    assert policy["uid"] == f"{base}:grant:g1"
    assert policy["assigner"] == f"{base}:party:bureau"
    assert policy["assignee"] == f"{base}:party:opco"
    assert policy["shuxin:terms"] == f"sm3:{terms_digest(grant, CHAIN_ID).hex()}"
    (permission,) = items_of(policy["permission"])
    assert permission["target"] == [
        f"{base}:dataset:{name}-claims" for name in ("health", "social", "civil")
    ]
    assert permission["duty"] == [{"action": "delete"}]
    said = {
        (str(one["leftOperand"]), str(one["operator"])): one["rightOperand"]
        for one in items_of(permission["constraint"])
    }
    moments = [said.pop(("dateTime", operator)) for operator in ("gteq", "lt")]
    assert said == {
        ("purpose", "eq"): "insurance pricing",
        ("recipient", "eq"): {"@id": f"{base}:party:insurer"},
        ("count", "lteq"): 3,
        ("shuxin:algorithm", "isAnyOf"): ["statistics/1"],
        ("shuxin:output", "isAnyOf"): ["statistics"],
        ("shuxin:assurance", "gteq"): "none",
    }
    times = [datetime.fromisoformat(str(record_of(moment)["@value"])) for moment in moments]
    assert [round(time.timestamp() * 1000) for time in times] == [begin_ms, grant["expires_ms"]]
    (prohibition,) = items_of(policy["prohibition"])
    assert prohibition["action"] == "distribute"


def test_what_a_node_answers_amiss_is_no_policy() -> None:
    business = Business()
    business.granted()
    grant = shown(business)
    wrong: list[tuple[str, Value]] = [("duties", [1]), ("operator", None), ("expires_ms", 2**80)]
    for field, value in wrong:
        with pytest.raises(TermsUnreadable):
            policy_of({**grant, field: value}, CHAIN_ID)
