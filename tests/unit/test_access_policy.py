"""A node's own policy takes away and never gives, whatever it says and whoever calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty
from hypothesis import assume, example, given
from hypothesis import strategies as st

from client.account import Account
from client.signing import signed
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.model import Address
from node import refusals
from node.api.access import Judge
from node.api.levels import LEVELS, NODE, Level
from node.api.nonces import Nonces
from node.api.policy import AccessPolicy, PolicyInvalid, method_named, narrowed
from node.api.standing import Standing, levels_of
from node.config import ConfigInvalid, load_config
from tests.unit.test_node_config import rendered, written

ACCOUNT = Account(SoftwareProvider(sm2.generate()))
CHAIN = bytes(32)
METHODS = st.sampled_from(sorted(LEVELS))
NAMES = st.lists(st.sampled_from([level.value for level in Level]), unique=True)
STANDINGS = st.builds(
    Standing,
    party=st.sampled_from(["", "p0", "p1"]),
    is_active=st.booleans(),
    is_manager=st.booleans(),
    roles=st.frozensets(st.sampled_from(["auditor", "user", "executor"])),
)
LEVEL_SETS = st.frozensets(st.sampled_from(list(Level)))


def judge(levels: frozenset[Level], policy: AccessPolicy) -> Judge:
    class Register:
        def levels(self, address: Address, certificate: bytes) -> frozenset[Level]:
            return levels

    return Judge(
        chain_id=CHAIN,
        verify=lambda key, message, signature: None,
        standings=Register(),
        nonces=Nonces(),
        policy=policy,
    )


def told(judging: Judge, method: str, *, is_signed: bool = True) -> str:
    """The code of the refusal; "" where the call is let in."""
    header = signed(ACCOUNT, Empty(), method=method, chain_id=CHAIN)[0][1] if is_signed else None
    try:
        judging.admit(method, b"", header=header, peer="")
    except refusals.Refusal as refusal:
        return refusal.code
    return ""


@given(method=METHODS, wanted=LEVEL_SETS, held=LEVEL_SETS, is_signed=st.booleans())
def test_no_policy_lets_in_who_would_be_refused_without_it(
    method: str, wanted: frozenset[Level], held: frozenset[Level], is_signed: bool
) -> None:
    """Not even one that the configuration would refuse."""
    held |= {Level.PUBLIC}
    before = told(judge(held, AccessPolicy()), method, is_signed=is_signed)
    after = told(judge(held, AccessPolicy({method: wanted})), method, is_signed=is_signed)
    lets_in = bool(wanted & (held if is_signed else {Level.PUBLIC}))
    assert (after == "") == (before == "" and lets_in)
    other = next(one for one in sorted(LEVELS) if one != method)
    plain = told(judge(held, AccessPolicy()), other, is_signed=is_signed)
    assert told(judge(held, AccessPolicy({method: wanted})), other, is_signed=is_signed) == plain


@given(method=METHODS, names=NAMES, standing=STANDINGS)
@example(NODE + "SubjectHistory", ["member"], Standing("p0", is_active=True))
def test_what_a_configuration_may_say_is_within_the_levels_of_the_release(
    method: str, names: list[str], standing: Standing
) -> None:
    try:
        wanted = narrowed(method, names)
    except PolicyInvalid:
        assume(False)
    levels = levels_of(standing, own_party="p0")
    assert not wanted & levels or levels & LEVELS[method]


def test_a_denied_account_is_a_stranger_whatever_the_chain_says() -> None:
    everything = frozenset(Level)
    denying = AccessPolicy(denied=frozenset({ACCOUNT.address}))
    for method, allowed in LEVELS.items():
        assert told(judge(everything, AccessPolicy()), method) == ""
        expected = "" if Level.PUBLIC in allowed else refusals.ACCESS_LEVEL
        assert told(judge(everything, denying), method) == expected
    other = Account(SoftwareProvider(sm2.generate()))
    denying = AccessPolicy(denied=frozenset({other.address}))
    assert told(judge(everything, denying), NODE + "GetState") == ""


def test_a_closed_method_is_closed_to_all_and_says_so() -> None:
    closed = judge(frozenset(Level), AccessPolicy({NODE + "GetStatus": frozenset()}))
    assert told(closed, NODE + "GetStatus") == refusals.ACCESS_LEVEL
    with pytest.raises(refusals.Refusal, match="GetStatus is for nobody alone"):
        closed.admit(NODE + "GetStatus", b"", header=None, peer="")


def test_methods_have_short_names_of_their_own() -> None:
    assert {method_named(full.rpartition("/")[2]) for full in LEVELS} == set(LEVELS)


# --- node.toml --------------------------------------------------------------------------------


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], AccessPolicy]:
    return lambda lines: load_config(written(tmp_path, rendered() + lines)).access


def test_a_policy_is_read_from_node_toml(loaded: Callable[[str], AccessPolicy]) -> None:
    assert loaded("") == AccessPolicy()
    address = "0f" * 20
    found = loaded(
        f'[access]\ndeny = ["{address}"]\n'
        '[access.methods]\nGetState = ["auditor", "operator"]\nGetStatus = []\n'
    )
    assert found.denied == {address}
    assert found.methods == {
        NODE + "GetState": {Level.AUDITOR, Level.OPERATOR},
        NODE + "GetStatus": set(),
    }


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        ("[access.methods]\nGetSate = []", "GetSate", "is no method of a node; write one of Acc"),
        ('[access.methods]\nView = ["friend"]', "View", "none of public, member, auditor, oper"),
        ('[access.methods]\nView = ["admin"]', "View", "names 'admin', which is none of"),
        ('[access.methods]\nView = ["public"]', "View", "would open the method to public"),
        ('[access.methods]\nSubjectHistory = ["member"]', "Subject", "never more"),
        ('[access]\nmethods = {SubjectHistory = ["member"]}', "methods", "never more"),
        ("[access.methods]\nView = 1", "View", "must be a list of levels"),
        ("[access.methods]\nView = [1]", "View", "must be a list of levels"),
        ("[access]\nmethods = 1", "methods", "must be a table"),
        ('[access]\ndeny = ["Alice"]', "deny", "no address"),
        ('[access]\ndeny = "Alice"', "deny", "list of at most"),
        ("[access]\nallow = []", "allow", "unknown entry"),
    ],
)
def test_a_policy_that_is_unknown_or_would_open_something_is_refused_with_its_line(
    tmp_path: Path, lines: str, line: str, says: str
) -> None:
    text = rendered() + lines + "\n"
    with pytest.raises(ConfigInvalid) as caught:
        load_config(written(tmp_path, text))
    assert says in str(caught.value)
    assert line in text.splitlines()[caught.value.line - 1]
