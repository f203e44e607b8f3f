"""The tables of acts, of what they concern, and of who got access."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from node.audit.acts.access import Access
from node.audit.acts.act import Act, id_of, ordered
from node.audit.acts.graph import Custody
from node.audit.acts.links import links_of
from node.audit.acts.values import json_of
from node.audit.tables.columns import PLACE, Row, Table, integer, names, text, truth

ACTS: Final = Table(
    "acts",
    "every transaction: who acted, what came of it, what it concerned",
    (
        *PLACE,
        text("sender", "address"),
        text("party", "that the account spoke for then; empty for none"),
        text("party_name"),
        names("roles", "of that party"),
        text(
            "standing", "active suspended revoked removed node, or empty for an account of no party"
        ),
        text("contract"),
        text("method"),
        integer("status", "0 is success"),
        text("error", "name of the status; empty for success"),
        text("refusal", "dotted code of the contract that refused"),
        text("detail", "the contract's sentence"),
        integer("gas", "used"),
        names("subjects", "KIND:ID that its arguments and events name"),
        names("through", "KIND:ID that those were made of"),
    ),
)
SUBJECTS: Final = Table(
    "subjects",
    "one row for each act and each subject of it: to join acts by",
    (
        *PLACE,
        text("kind", "grant dataset demand task product delivery evidence party node …"),
        text("id"),
        truth("is_direct", "named by the act, or what that was made of"),
    ),
)
ARGUMENTS: Final = text("arguments", "JSON object; bytes as 0x and hexadecimal")
ACCESS: Final = Table(
    "access",
    "who was let in on what, or received what",
    (
        *PLACE,
        text("kind", "what was given; see docs/analysis.md"),
        text("receiver", "party, or the address of a key of none"),
        text("giver", "party"),
        text("what", "KIND:ID"),
        text("grant_id"),
        names("datasets"),
        names("columns", "DATASET.COLUMN, as the catalogue described them then"),
        text("digest", "of what was handed over"),
        text("terms"),
    ),
)
CUSTODY: Final = Table(
    "custody",
    "the edges of a product's chain of custody, each with its proof",
    (
        *PLACE,
        text("source", "KIND:ID"),
        text("relation"),
        text("target", "KIND:ID"),
        text("note"),
    ),
)
LINKS: Final = Table(
    "links",
    "the expected links of a product's chain of custody",
    (
        text("name"),
        truth("holds"),
        text("says"),
        names("transactions", "ids, for `shuxin tx prove`"),
    ),
)
ANSWERED_ACTS: Final = Table("acts", ACTS.says, (*ACTS.columns, ARGUMENTS))


def act_row(act: Act) -> Row:
    """Of ACTS."""
    return (
        act.height,
        act.index,
        act.time_ms,
        act.transaction,
        act.sender,
        act.by.party,
        act.by.name,
        act.by.roles,
        act.by.standing,
        act.contract,
        act.method,
        act.status,
        act.error,
        act.refusal,
        act.detail,
        act.gas,
        tuple(map(id_of, ordered(act.direct))),
        tuple(map(id_of, ordered(act.through))),
    )


def answered_row(act: Act) -> Row:
    """Of ANSWERED_ACTS."""
    return (*act_row(act), json_of(act.arguments))


def subject_rows(act: Act) -> Iterator[Row]:
    """Of SUBJECTS."""
    place = act.height, act.index, act.time_ms, act.transaction
    for subjects, is_direct in ((act.direct, True), (act.through, False)):
        for kind, name in ordered(subjects):
            yield (*place, kind, name, is_direct)


def access_row(access: Access) -> Row:
    """Of ACCESS."""
    act = access.act
    return (
        act.height,
        act.index,
        act.time_ms,
        act.transaction,
        access.kind.value,
        access.receiver,
        access.giver,
        access.what,
        access.grant,
        access.datasets,
        access.columns,
        access.digest,
        access.terms,
    )


def custody_rows(custody: Custody) -> Iterator[Row]:
    """Of CUSTODY."""
    for edge in custody.edges:
        proof = edge.proof
        yield (
            proof.height,
            proof.index,
            proof.time_ms,
            proof.transaction,
            id_of(edge.source),
            edge.relation,
            id_of(edge.target),
            edge.note,
        )


def link_rows(custody: Custody) -> Iterator[Row]:
    """Of LINKS."""
    for link in links_of(custody):
        yield link.name, link.holds, link.says, link.transactions
