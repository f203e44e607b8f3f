"""Records as views show them, proved by the state that contracts store them in.

A view's answer has no proof, but where it is what the contract stores, the stored value has one:
it is fetched with its proof, read as this release's contract declares it, and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cli.output import CommandRefused
from cli.stored import RecordMisfit, declaration, named

if TYPE_CHECKING:
    from client.light.connection import VerifyingConnection
    from client.session import Session
    from ledger.values import Value

# Contract -> the Map that `show` reads from. What is not here is computed by its view: a task's
# file and an incident's are put together; proposals, agreements, tariffs and statements are shown
# as they stand at that moment; a policy is stored only once it was changed.
STORED: Final[Mapping[str, str]] = {
    "admission": "applications",
    "alert": "alerts",
    "algorithm": "algorithms",
    "asset": "assets",
    "catalog": "datasets",
    "commission": "commissions",
    "deidentification": "assessments",
    "delivery": "deliveries",
    "demand": "demands",
    "evaluation": "evaluations",
    "evidence": "records",
    "feature": "features",
    "grant": "grants",
    "inquiry": "inquiries",
    "multisig": "accounts",
    "parties": "parties",
    "payment": "payments",
    "preapproval": "channels",
    "product": "products",
}
ATTEMPTS = 3  # a record may change between the two questions, but not again and again


def shown(session: Session, contract: str, identifier: str) -> Value:
    """What the contract's view `show` gives for `identifier`, proved where it can be."""
    from client.light.connection import VerifyingConnection, view_key

    node = session.node
    value = session.view(contract, "show", identifier)
    if not isinstance(node, VerifyingConnection) or contract not in STORED:
        return value
    asked = view_key(contract, "show", identifier)
    for _ in range(ATTEMPTS):
        try:
            stored = _stored(node, contract, identifier)
        except RecordMisfit as misfit:
            node.findings.said[asked] = str(misfit)
            return value
        if stored == value:
            del node.findings.said[asked]
            return value
        value = session.view(contract, "show", identifier)
    raise CommandRefused(
        "record.contradiction",
        f"{node.target} shows another {contract} record {identifier} than the state proves: it "
        "lies or its contract engine is wrong; ask another node",
    )


def _stored(node: VerifyingConnection, contract: str, identifier: str) -> Value:
    """The proved record by names; None: there is none. Raises RecordMisfit."""
    from ledger.errors import DecodeError
    from ledger.values import decode_value, encode_value

    variable = STORED[contract]
    kept = node.state(contract, encode_value([variable, identifier])).value
    if kept is None:
        return None
    declared = declaration(contract, variable)
    assert declared is not None, "the system contracts of this release have these"
    try:
        return named(declared.value_type, decode_value(kept))
    except DecodeError as error:
        raise RecordMisfit(f"the stored record is no contract value: {error}") from None


def prove_source(
    session: Session, name: str, sequence: int, text: str, *, is_present: bool
) -> None:
    """Have the source of a contract's version proved, where proofs are asked for.

    `is_present`: and that this is its present version. Raises CommandRefused when it is not so.
    """
    from client.light.connection import VerifyingConnection
    from contracts.vm.code_records import CODE, ContractRecord, source_key
    from ledger.encoding import decode

    node = session.node
    if not isinstance(node, VerifyingConnection):
        return
    kept = node.state(CODE, source_key(name, sequence)).value
    is_so = kept == text.encode()
    if is_so and is_present:
        record = node.state(CODE, name.encode()).value or b""
        is_so = decode(record, ContractRecord, size_max=len(record)).sequence == sequence
    if not is_so:
        raise CommandRefused(
            "record.contradiction",
            f"{node.target} shows another source of {name} than the state proves: it lies, or its "
            "contract engine is wrong; ask another node",
        )
    node.findings.said.clear()  # the version's number, and the text that was proved
