"""An auditor sees the acts of joint accounts as theirs, and not as a member's approval."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.values import Value, encode_value
from node.audit.acts.joint import JointActs, JointCall
from tests.unit.test_system_multisig import DIGEST, JOINT, PEOPLE, RECORD, opened


def told(events: list[tuple[str, dict[str, Value]]]) -> list[tuple[str, str, Mapping[str, Value]]]:
    return [("multisig" if "Joint" in name else "evidence", name, f) for name, f in events]


def test_the_call_that_was_carried_out_is_the_joint_accounts() -> None:
    business, joint = opened(), JointActs()
    args = encode_value([*RECORD])
    words: list[Value] = ["a1", JOINT, "evidence", "record", args, "why"]
    proposed = told(business.do(PEOPLE[0], "multisig", "propose", *words))
    assert joint.performed(proposed) is None
    joint.follow({"args": args}, proposed)
    performed = told(business.do(PEOPLE[1], "multisig", "approve", "a1", DIGEST))
    call = JointCall(JOINT, "evidence", "record", RECORD)
    assert joint.performed(performed) == call
    joint.follow({}, performed)
    assert joint.performed(performed) is None, "an act is carried out once"


def test_what_members_took_back_or_never_proposed_is_no_act() -> None:
    business, joint = opened(), JointActs()
    args = encode_value([*RECORD])
    words: list[Value] = ["a1", JOINT, "evidence", "record", args, "why"]
    joint.follow({"args": args}, told(business.do(PEOPLE[0], "multisig", "propose", *words)))
    joint.follow({}, told(business.do(PEOPLE[0], "multisig", "withdraw", "a1")))
    claimed: dict[str, Value] = {"act_id": "a1", "account": JOINT}
    assert joint.performed([("multisig", "JointActPerformed", claimed)]) is None
    assert joint.performed([("other", "JointActPerformed", claimed)]) is None
