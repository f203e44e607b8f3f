"""An auditor sees when a grant could not be used: an incident suspends it, a lift resumes it."""

from __future__ import annotations

from pathlib import Path

from node.audit.acts.access import accesses
from node.audit.acts.act import Reader
from tests.audit_world import AuditedChain
from tests.business import digest


def test_a_suspension_and_its_end_are_told_among_who_was_let_in(tmp_path: Path) -> None:
    chain = AuditedChain(tmp_path)
    chain.catalogue("health", "social")
    chain.grant(1, ("health", "social"))
    chain.do("bureau", "incident.open", "i1", "Leak", "development", "critical", "opco", [])
    chain.do("bureau", "incident.suspend_grant", "i1", "g1", "a leak")
    chain.do("bureau", "incident.note_freeze", "i1", "task", digest("freeze"), "flaw")
    for number in (2, 1):
        chain.do("bureau", "incident.lift", "i1", number, "mended")
    reader = Reader(chain.store, chain.store.height)
    told = [access for _act, found in accesses(reader) for access in found]
    assert [(access.kind.value, access.giver, access.terms) for access in told[1:]] == [
        ("grant suspended", "bureau", "a leak"),
        ("grant resumed", "bureau", "mended"),
    ]
    for access in told:
        assert (access.receiver, access.what, access.grant) == ("opco", "grant:g1", "g1")
