"""How much gas a call may use unless its caller says otherwise.

What is not used costs nothing, but a block is filled by the limits of its transactions. So the
many small calls ask for little, and the few that can be large ask for what the largest needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ledger.genesis import Limits

GAS_SMALL: Final = 500_000  # a thousand such calls fill a block
GAS_MEDIUM: Final = 4_000_000
GAS_LARGE: Final = 30_000_000
GAS_WHOLE: Final = Limits().transaction_gas_max  # what a chain takes unless its genesis differs
GAS_UNKNOWN: Final = 5_000_000  # a contract whose cost nobody here has measured

# The contracts of every genesis. tests/unit/test_client_gas.py calls each method with the largest
# arguments that it takes.
_MEASURED: Final = frozenset(
    (
        "accusation",
        "admission",
        "agreement",
        "alert",
        "algorithm",
        "asset",
        "billing",
        "catalog",
        "certificate",
        "commission",
        "contract",
        "deidentification",
        "delivery",
        "demand",
        "evaluation",
        "evidence",
        "governance",
        "grant",
        "holder",
        "identity",
        "multisig",
        "incident",
        "inquiry",
        "job",
        "oversight",
        "parties",
        "payment",
        "preapproval",
        "product",
        "proposal",
        "quality",
        "risk",
        "rules",
        "tariff",
        "task",
    )
)
_LARGER: Final[Mapping[tuple[str, str], int]] = MappingProxyType(
    {
        ("admission", "apply"): GAS_MEDIUM,  # 8 keys signed it
        ("admission", "admit"): GAS_MEDIUM,  # looks for another among 100 managers
        ("parties", "register"): GAS_MEDIUM,  # of a manager: names 100
        ("parties", "revoke"): GAS_MEDIUM,  # looks through 256 nodes
        ("algorithm", "propose"): GAS_MEDIUM,  # 16 parameters are written and signed
        ("algorithm", "rebuild"): GAS_MEDIUM,
        ("algorithm", "review"): GAS_MEDIUM,  # rewrites them with two images
        ("incident", "lift"): GAS_MEDIUM,  # of an algorithm with its full description
        ("incident", "suspend_algorithm"): GAS_MEDIUM,
        ("billing", "issue"): GAS_LARGE,  # adds 200 entries up
        ("billing", "meter_task"): GAS_MEDIUM,  # 16 participants
        ("catalog", "draft"): GAS_MEDIUM,  # a table of 64 columns
        ("catalog", "describe"): GAS_MEDIUM,
        ("catalog", "collect"): GAS_MEDIUM,  # rewrites its description
        ("catalog", "register"): GAS_MEDIUM,
        ("catalog", "update"): GAS_MEDIUM,
        ("catalog", "retire"): GAS_MEDIUM,
        ("demand", "file"): GAS_MEDIUM,
        ("demand", "prescreen"): GAS_MEDIUM,  # rewrites a demand with its full texts
        ("demand", "review"): GAS_MEDIUM,  # looks 32 data sets up in the catalog
        ("demand", "collect"): GAS_MEDIUM,  # asks after 16 suppliers
        ("demand", "match"): GAS_MEDIUM,
        ("demand", "abandon"): GAS_MEDIUM,
        ("job", "create"): GAS_LARGE,  # 16 steps of 16 participants each
        ("job", "dispatch"): GAS_LARGE,  # looks at 256 jobs that wait, and at their grants
        ("job", "abandon"): GAS_LARGE,  # ends as many tasks
        ("job", "cancel"): GAS_LARGE,
        ("job", "expire"): GAS_LARGE,
        ("evidence", "record_sealed"): GAS_MEDIUM,  # 32 KiB are kept, 16 parties asked after
        ("task", "create"): GAS_MEDIUM,  # 16 participants, each queue and data set
        ("task", "accept"): GAS_MEDIUM,  # keeps a certificate, tells 16 participants
        ("task", "fail"): GAS_MEDIUM,  # lets them all go again
        ("task", "cancel"): GAS_MEDIUM,
        ("task", "expire"): GAS_MEDIUM,
        ("task", "report"): GAS_MEDIUM,  # a share of 48 KiB is kept
        ("preapproval", "preapprove"): GAS_MEDIUM,  # looks 32 data sets up in the catalog
        ("grant", "request"): GAS_MEDIUM,  # compares 32 data sets, and writes its terms down
        ("grant", "revoke"): GAS_WHOLE,  # cancels 32 tasks of 16 participants
        ("governance", "confirm"): GAS_MEDIUM,  # 64 members; the last one seats a new committee
        ("proposal", "admit_observer"): GAS_MEDIUM,  # the sole organization decides at once
        ("proposal", "propose"): GAS_MEDIUM,
        ("proposal", "admit_root"): GAS_MEDIUM,
        ("proposal", "retire_root"): GAS_MEDIUM,  # looks through 256 roots
        ("identity", "register"): GAS_MEDIUM,  # tries 4 roots
        ("proposal", "approve"): GAS_MEDIUM,  # asks after 64 organizations, then carries out
        ("multisig", "propose"): GAS_MEDIUM,  # keeps arguments of 32 KiB
        ("multisig", "reject"): GAS_MEDIUM,  # asks after the parties of 16 members
        ("multisig", "approve"): GAS_WHOLE,  # the last one carries any call out
        ("contract", "deploy"): GAS_WHOLE,  # 64 KiB of source are compiled
        ("contract", "upgrade"): GAS_WHOLE,
        ("contract", "revoke"): GAS_WHOLE,  # whose approvals it needs is the policy's affair
        ("contract", "set_policy"): GAS_WHOLE,  # standing of all witnesses
        ("contract", "approve_policy"): GAS_WHOLE,
        ("contract", "approve"): GAS_WHOLE,  # the last one carries the upgrade out
    }
)


def gas_limit_of(contract: str, method: str) -> int:
    """A limit that lets every call of a system contract finish, and most of other contracts."""
    if contract not in _MEASURED:
        return GAS_UNKNOWN
    return _LARGER.get((contract, method), GAS_SMALL)
