"""What a contract refuses when another contract calls it, whatever that one has looked at before.

The callers do not ask for these things today. A later version of one, or a new contract with its
rights, may: then the contract that is called has to stand by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from contracts.vm.codes import Code
from ledger.values import Value
from tests.business import Business, code_of


def a_revoked_grant(business: Business) -> None:
    business.granted()
    business.do("bureau", "grant", "revoke", "g1", "misuse")


OF_RIVAL: list[Value] = ["j1", "first", "t1", "g1", "rival", 1, ["a", b"", [], b""]]
GUARDS: list[tuple[Callable[[Business], object], str, str, list[Value], str]] = [
    (a_revoked_grant, "incident", "grant.resume", ["g1", "lifted"], "grant.status"),
    (Business.vetting, "incident", "algorithm.suspend", ["scores/1", "leak"], "algorithm.status"),
    (Business.vetting, "incident", "algorithm.resume", ["scores/1", "over"], "algorithm.status"),
    (Business.dispatched, "task", "job.take", OF_RIVAL, "job.owner"),
]


@pytest.mark.parametrize(("prepare", "caller", "called", "args", "code"), GUARDS)
def test_what_is_called_looks_for_itself(
    prepare: Callable[[Business], object], caller: str, called: str, args: list[Value], code: str
) -> None:
    business = Business()
    prepare(business)
    contract, _, method = called.partition(".")
    receipt = business.chain.call(f"contract:{caller}", contract, method, *args)
    assert receipt.status == Code.refused, (receipt.error, receipt.detail)
    assert code_of(receipt.detail) == code
