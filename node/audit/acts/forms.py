"""The kinds of subjects, and the forms in which arguments and fields of events name them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from ledger.values import Value

Subject: TypeAlias = tuple[str, str]  # kind, id
Names: TypeAlias = Mapping[str, str]  # argument or field -> form

GRANT: Final = "grant"
CHANNEL: Final = "channel"  # 快速审批通道: what is granted beforehand
DATASET: Final = "dataset"
DEMAND: Final = "demand"
ALGORITHM: Final = "algorithm"
TASK: Final = "task"
JOB: Final = "job"
PRODUCT: Final = "product"
ASSESSMENT: Final = "assessment"  # 去标识化评估
DELIVERY: Final = "delivery"
AGREEMENT: Final = "agreement"
STATEMENT: Final = "statement"
EVIDENCE: Final = "evidence"
PARTY: Final = "party"
NODE: Final = "node"
PROPOSAL: Final = "proposal"
RULE: Final = "rule"
ENGAGEMENT: Final = "engagement"
APPLICATION: Final = "application"  # 入驻申请: of who wants to become a party
ASSET: Final = "asset"
COMMISSION: Final = "commission"
ALERT: Final = "alert"
INCIDENT: Final = "incident"
INQUIRY: Final = "inquiry"
EVALUATION: Final = "evaluation"
CONTRACT: Final = "contract"
KINDS: Final = (
    GRANT,
    CHANNEL,
    DATASET,
    DEMAND,
    ALGORITHM,
    TASK,
    JOB,
    PRODUCT,
    ASSESSMENT,
    DELIVERY,
    AGREEMENT,
    STATEMENT,
    EVIDENCE,
    PARTY,
    NODE,
    PROPOSAL,
    RULE,
    ENGAGEMENT,
    APPLICATION,
    ASSET,
    COMMISSION,
    ALERT,
    INCIDENT,
    INQUIRY,
    EVALUATION,
    CONTRACT,
)

# Other forms than the id of one subject.
DATASETS: Final = "dataset list"
ALERTS: Final = "alert list"
PARTIES: Final = "party list"
NODES: Final = "node list"
PARTICIPANTS: Final = "party and dataset list"
MADE: Final = "list of kind and id"  # what a piece of commissioned work names
# The contracts `evidence`, `alert` and `incident` do not say of what kind their subject is: it is
# what the chain knows by that id at the time, which may be several things or nothing.
ABOUT: Final = "about"
FORMS: Final = frozenset({*KINDS, DATASETS, ALERTS, PARTIES, NODES, PARTICIPANTS, MADE, ABOUT})

_ID = re.compile(r"[a-z0-9_.\-]{1,64}")
_ALGORITHM_ID = re.compile(r"(?=.{3,64}$)[a-z0-9_.\-]+/[a-z0-9_.\-]+")  # NAME/VERSION


def named(form: str, value: Value) -> Iterator[Subject]:
    """The subjects that a value of this form names; ABOUT is for the lineage to resolve.

    The value may be anything: refused transactions bring what they like. What no contract takes
    for an id, such as text of another form, names nothing.
    """
    if form in KINDS:
        pattern = _ALGORITHM_ID if form == ALGORITHM else _ID
        if isinstance(value, str) and pattern.fullmatch(value):
            yield form, value
        return
    if not isinstance(value, list):
        return
    if form == MADE:
        for item in value:
            if isinstance(item, list) and len(item) == 2 and item[0] in KINDS:
                yield from named(str(item[0]), item[1])
        return
    kinds = form.removesuffix(" list").split(" and ")
    for item in value:
        parts = item if len(kinds) > 1 else [item]
        if isinstance(parts, list) and len(parts) == len(kinds):
            for kind, part in zip(kinds, parts, strict=True):
                yield from named(kind, part)
