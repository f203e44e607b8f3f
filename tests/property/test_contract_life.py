"""Whatever accounts do in whatever order, code changes only by those whom the policy asks."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.vm.testing import Chain, account
from crypto import sm3
from ledger.values import Value, encode_value
from tests.code_world import ROLES, TECH, found

HEAD = "from contracts.dialect import view\n@view\ndef one() -> int:\n    return 1\n"
# Two sources for each sequence: an approval of one must never carry the other out.
SOURCES = tuple(HEAD + "#\n" * number for number in range(2))
HASHES = tuple(sm3.digest(source.encode()) for source in SOURCES)
ORGANIZATIONS = {"a", "b", "c", "d"}
SPEAKERS = ("manager", "tech", "operator", "manager", "tech", "both", "second", "other", "a")
METHODS = ("upgrade", "approve", "approve", "approve", "upgrade", "freeze", "revoke", "unfreeze")
RARE = ("reject", "withdraw", "suspend")


class Act(NamedTuple):
    party: str
    method: str
    version: int  # which of SOURCES is proposed, or approved in error
    slip: int  # 0: names what waits; else another sequence (1, -1) or another source (2)


ACTS = st.lists(
    st.builds(
        Act,
        st.sampled_from(SPEAKERS) | st.just("stranger"),
        st.sampled_from(METHODS) | st.sampled_from((*METHODS, *RARE)),
        st.integers(0, 1),
        st.sampled_from((0, 0, 0, 0, 0, 1, -1, 2)),
    ),
    min_size=15,
    max_size=45,
)


def roles(party: str, suspended: set[str]) -> set[str]:
    """What an active party may speak as; written anew, not taken from the machine."""
    if party in suspended:
        return set()
    owner = {"owner"} if party == "tech" else set()
    seat = {"organization"} if party in ORGANIZATIONS else set()
    return {*ROLES[party], *owner, *seat}


def is_enough(step: str, status: str, voices: set[str], suspended: set[str]) -> bool:
    """The default policy, written anew."""
    held = {party: roles(party, suspended) for party in voices}
    every = set().union(*held.values()) if held else set()
    if "manager" not in every:
        return False
    if step == "revoke":
        asked = {"manager", "owner", "operator", "organization"}
    elif status == "frozen":
        asked = {"manager", "operator", "tech_provider", "organization"}
        if not every & (asked - {"manager"}):
            return False
    else:
        asked = {"owner", "manager", "operator"}
        if "operator" not in every or ("tech" not in suspended and "owner" not in every):
            return False
    return sum(1 for mine in held.values() if mine & asked) >= 2


def words(act: Act, record: dict[str, Value], pending: dict[str, Value]) -> list[Value]:
    present = record["sequence"]
    waiting = pending.get("sequence", present)
    assert isinstance(present, int) and isinstance(waiting, int)
    off = act.slip if act.slip in (1, -1) else 0
    match act.method:
        case "upgrade":
            return ["notes", present + 1 + off, SOURCES[act.version], "why"]
        case "approve":
            named = HASHES[act.version] if act.slip == 2 else pending.get("code_hash", bytes(32))
            return ["notes", waiting + off, named]
        case "withdraw" | "reject":
            return ["notes", waiting + off, "why"]
        case "unfreeze":
            return ["notes"]
    return ["notes", "why"]


def shown(chain: Chain, method: str = "show") -> dict[str, Value]:
    answer = chain.view(TECH, "contract", method, "notes")
    if answer is None:
        return {}
    assert isinstance(answer, dict)
    return {str(field): value for field, value in answer.items()}


def parties(pending: dict[str, Value]) -> set[str]:
    approvals = pending.get("approvals", [])
    assert isinstance(approvals, list)
    return {str(party) for party in approvals}


def check(
    act: Act,
    before: dict[str, Value],
    waiting: dict[str, Value],
    after: dict[str, Value],
    suspended: set[str],
) -> None:
    """What one successful act may have done to the record."""
    status = str(before["status"])
    assert status != "revoked"
    voices = parties(waiting) | {act.party}
    if after["sequence"] != before["sequence"]:
        assert act.method == "approve" and waiting["code_hash"] == after["code_hash"]
        assert is_enough("upgrade", status, voices, suspended)
        assert after["status"] == status
    elif after["code_hash"] != before["code_hash"]:
        raise AssertionError("code of the same version changed")
    elif after["status"] == "revoked":
        assert is_enough("revoke", status, voices, suspended)
    elif after["status"] != status:
        assert act.method in ("freeze", "unfreeze")
        assert "manager" in roles(act.party, suspended)


@settings(max_examples=80)
@given(ACTS)
def test_code_changes_only_by_those_whom_the_policy_asks(acts: list[Act]) -> None:
    chain, suspended = found(), set[str]()
    chain.must(TECH, "contract", "deploy", "notes", SOURCES[0], encode_value([]))
    for act in acts:
        if act.method == "suspend":
            chain.must(TECH, "parties", "suspend", act.party)
            suspended.add(act.party)
            continue
        state, before, waiting = dict(chain.state), shown(chain), shown(chain, "pending")
        sender = account(act.party)
        receipt = chain.call(sender, "contract", act.method, *words(act, before, waiting))
        if receipt.status != 0:
            assert chain.state == state
            continue
        assert act.party not in suspended
        after = shown(chain)
        check(act, before, waiting, after, suspended)
        steps = chain.view(TECH, "contract", "history", "notes", 0, 50)
        assert isinstance(steps, list)
        assert len(steps) == min(50, int(str(after["steps"])))
        pending = shown(chain, "pending")
        if pending:
            voices = parties(pending)
            step = str(pending["step"])
            fresh = act.method in ("upgrade", "revoke", "approve")
            assert not (fresh and is_enough(step, str(after["status"]), voices, suspended))
