"""Who was let in on what, and who received what: as far as contracts put it on record.

A row says what an act gave to whom. What the chain cannot know stands in `UNKNOWABLE`, and what
it shows to readers without a record of it in `READERS`; every report repeats both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.values import Value
from node.audit.acts.act import Act, Reader, id_of
from node.audit.acts.lineage import Lineage
from node.audit.acts.values import octets, shown, text, texts, time_of

UNKNOWABLE: Final = (
    "What an executor, an operator or a consumer did with what it had, off the chain: copies, "
    "screens, other uses. The chain holds what they signed, not what they saw.",
    "Whether the rows behind a data set are true. Its commitment shows only that they stayed "
    "the same.",
    "Whether a product is what the output shares open to. They are sealed to the receiver's key; "
    "its digest is the operator's word.",
    "Who held a private key. A row names the party that an account spoke for.",
)
READERS: Final = (
    "Everything in a transaction, sealed output shares included, is read by whoever runs a node; "
    "who that is, the acts of governance and proposal tell.",
    "Views leave no record. By their own rules grants, data sets, products and evidence are shown "
    "to every active party; a demand to its consumer, operators and managers; a task to its "
    "operator, consumer, participants and managers; a delivery to its operator and consumer and "
    "to managers; an output share to the task's operator and to the participant it is of.",
    "Which columns a task read is in its program, whose bytes are an argument of task.create; "
    "rows name the columns that the catalogue described at the time.",
)


class AccessKind(StrEnum):
    GRANTED = "use granted"  # an operator may have these data sets computed on
    REVOKED = "grant revoked"  # from here on it may not
    SUSPENDED = "grant suspended"  # nor while an incident holds it
    RESUMED = "grant resumed"  # the measure was lifted: it may again
    ORDERED = "computation ordered"  # a program is to run on these data sets, for that receiver
    SHARE = "output share handed in"  # sealed to the receiver's key
    OFFERED = "product offered"  # its sealed bytes travel outside the chain
    WITHDRAWN = "offer withdrawn"  # from here on it is not accepted; who has the bytes has them
    RECEIVED = "product accepted"  # the consumer names the bytes that were offered
    REJECTED = "product rejected"  # the consumer names the bytes that it received
    CLAIMED = "evidence recorded"  # a party's own word that it sent or received something


# Kinds of evidence by which a party says that data or results changed hands.
HANDING: Final = frozenset(
    {
        "development.input_sent",
        "development.output_received",
        "development.result",
        "delivery.sent",
        "delivery.received",
    }
)


@dataclass(frozen=True, slots=True)
class Access:
    """`receiver` was let in on, or given, `what` by `giver`: parties, or an address of none."""

    act: Act
    kind: AccessKind
    receiver: str
    giver: str
    what: str  # KIND:ID
    grant: str  # id
    datasets: tuple[str, ...]
    columns: tuple[str, ...]  # DATASET.COLUMN, as the catalogue described them then
    digest: str  # of what was handed over, hexadecimal; "" for a permission
    terms: str  # what it was bound to, for people

    @property
    def parties(self) -> tuple[str, str]:
        return self.receiver, self.giver


def accesses(reader: Reader) -> Iterator[tuple[Act, tuple[Access, ...]]]:
    """Every act, with what it gave to whom."""
    for act in reader.acts():
        yield act, (accesses_of(act, reader) if act.status == 0 else ())


def accesses_of(act: Act, reader: Reader) -> tuple[Access, ...]:
    """What an act that succeeded gave to whom; `reader` stands at this act.

    Nothing where a contract was upgraded to arguments that this release does not know.
    """
    given, lineage = act.given, reader.lineage
    match act.contract, act.method:
        case "grant", "request" | "accept":
            return _granted(act, lineage)
        case "grant", "revoke":
            return _changed(act, AccessKind.REVOKED, given, lineage)
        case "incident", "suspend_grant":
            fields = act.event("grant", "GrantSuspended") or {}
            return _changed(act, AccessKind.SUSPENDED, fields, lineage)
        case "incident", "lift":
            fields = act.event("grant", "GrantResumed") or {}
            return _changed(act, AccessKind.RESUMED, fields, lineage)
        case "task", "create":
            return _ordered(act, given, reader)
        case "task", "report":
            return _share(act, given, reader)
        case "delivery", "offer" | "offer_under" | "accept" | "withdraw":
            return _delivery(act, given, lineage)
        case "evidence", "record" | "record_batch" | "record_sealed" if (
            text(given.get("kind")) in HANDING
        ):
            return _claimed(act, given, reader.lineage)
    return ()


def _granted(act: Act, lineage: Lineage) -> tuple[Access, ...]:
    """Both have signed: an operator that countersigned, or asked for what was preapproved."""
    said = act.event("grant", "Granted") or {}
    grant = text(said.get("grant_id"))
    line = lineage.grants.get(grant)
    if line is None:
        return ()
    algorithms = ", ".join(texts(said.get("algorithms")))
    terms = (
        f"for {text(said.get('scenario'))}; algorithms {algorithms}; at most "
        f"{shown(said.get('uses_max'))} uses; until {time_of(said.get('expires_ms'))}"
    )
    access = Access(
        act=act,
        kind=AccessKind.GRANTED,
        receiver=line.operator,
        giver=text(said.get("manager")),
        what=f"grant:{grant}",
        grant=grant,
        datasets=line.datasets,
        columns=_columns(line.datasets, lineage),
        digest=octets(said.get("digest")).hex(),
        terms=terms,
    )
    return (access,)


def _changed(
    act: Act, kind: AccessKind, said: Mapping[str, Value], lineage: Lineage
) -> tuple[Access, ...]:
    grant = text(said.get("grant_id"))
    line = lineage.grants.get(grant)
    if line is None:
        return ()
    access = Access(
        act=act,
        kind=kind,
        receiver=line.operator,
        giver=act.by.party,
        what=f"grant:{grant}",
        grant=grant,
        datasets=line.datasets,
        columns=(),
        digest="",
        terms=text(said.get("reason")),
    )
    return (access,)


def _ordered(act: Act, given: Mapping[str, Value], reader: Reader) -> tuple[Access, ...]:
    task, lineage = text(given.get("task_id")), reader.lineage
    line = lineage.tasks.get(task)
    if line is None:
        return ()
    event = act.event("task", "TaskCreated") or {}
    access = Access(
        act=act,
        kind=AccessKind.ORDERED,
        receiver=_receiver(line.receiver, reader),
        giver=line.operator,
        what=f"task:{task}",
        grant=line.grant,
        datasets=line.datasets,
        columns=_columns(line.datasets, lineage),
        digest=octets(event.get("program_hash")).hex(),
        terms=f"algorithm {text(given.get('algorithm'))}; digest: of the program; results sealed "
        "to the receiver's key",
    )
    return (access,)


def _share(act: Act, given: Mapping[str, Value], reader: Reader) -> tuple[Access, ...]:
    task = text(given.get("task_id"))
    line = reader.lineage.tasks.get(task)
    if line is None:
        return ()
    event = act.event("task", "TaskReported") or {}
    access = Access(
        act=act,
        kind=AccessKind.SHARE,
        receiver=_receiver(line.receiver, reader),
        giver=act.by.party,
        what=f"task:{task}",
        grant=line.grant,
        datasets=(text(event.get("dataset_id")),),
        columns=(),
        digest=octets(event.get("share_digest")).hex(),
        terms=f"{text(given.get('protection'))}; digest: of the sealed share",
    )
    return (access,)


def _delivery(act: Act, given: Mapping[str, Value], lineage: Lineage) -> tuple[Access, ...]:
    delivery = text(given.get("delivery_id"))
    line = lineage.deliveries.get(delivery)
    if line is None:
        return ()
    product = lineage.products.get(line.product)
    task = lineage.tasks.get(product.task) if product else None
    if act.method in ("offer", "offer_under"):
        kind, digest = AccessKind.OFFERED, given.get("sealed_payload_digest")
        terms = f"agreement with SM3 {octets(given.get('agreement_digest')).hex()}"
    elif act.method == "withdraw":
        kind, digest, terms = AccessKind.WITHDRAWN, b"", text(given.get("reason"))
    else:
        accepted = bool(given.get("accepted"))
        kind = AccessKind.RECEIVED if accepted else AccessKind.REJECTED
        digest, terms = given.get("received_digest"), text(given.get("note"))
    access = Access(
        act=act,
        kind=kind,
        receiver=line.consumer,
        giver=line.operator,
        what=f"product:{line.product}",
        grant=task.grant if task else "",
        datasets=task.datasets if task else (),
        columns=(),
        digest=octets(digest).hex(),
        terms=terms,
    )
    return (access,)


def _claimed(act: Act, given: Mapping[str, Value], lineage: Lineage) -> tuple[Access, ...]:
    kind = text(given.get("kind"))
    is_received = kind in ("development.output_received", "delivery.received", "development.result")
    about = lineage.about(text(given.get("subject")))
    known = sorted({*act.direct, *act.through})
    access = Access(
        act=act,
        kind=AccessKind.CLAIMED,
        receiver=act.by.party if is_received else "",
        giver="" if is_received else act.by.party,
        what=" ".join(map(id_of, about)),
        grant=" ".join(name for kind_, name in known if kind_ == "grant"),
        datasets=tuple(name for kind_, name in known if kind_ == "dataset"),
        columns=(),
        digest=octets(given.get("digest")).hex(),
        terms=f"{kind}: {text(given.get('note'))}",
    )
    return (access,)


def _receiver(address: str, reader: Reader) -> str:
    """The party whose account the receiver's key is; else the address of the key."""
    return reader.register.party_of(address) or address


def _columns(datasets: tuple[str, ...], lineage: Lineage) -> tuple[str, ...]:
    return tuple(
        f"{dataset}.{column}"
        for dataset in datasets
        if dataset in lineage.datasets
        for column in lineage.datasets[dataset].columns
    )
