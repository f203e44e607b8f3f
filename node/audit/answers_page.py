"""The page of an auditor's answers: one file, no scripts, nothing from elsewhere, printable.

Arguments, names and notes are anybody's words: all of it goes through `shown`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from node.audit.acts.act import Act, id_of, ordered
from node.audit.acts.forms import Subject
from node.audit.acts.graph import Custody, Edge
from node.audit.acts.links import links_of
from node.audit.acts.register import ACTIVE
from node.audit.acts.values import time_text
from node.audit.answers import Answers
from node.audit.books_page import books_sections
from node.audit.manifest import AskedPart, Manifest
from node.audit.page import (
    STYLE,
    divergence_section,
    examined_rows,
    figures_rows,
    rows,
    section,
    short,
    shown,
    wide_table,
)

_STYLE: Final = """
body{max-width:76rem}ul.tree,ul.tree ul{list-style:none;padding-left:1.2rem;margin:.2rem 0;
border-left:2px solid #cfd8dc}ul.tree{border:0;padding-left:0}.tree li{margin:.5rem 0}
.k{display:inline-block;padding:0 .5rem;border-radius:.6rem;background:#e3f2fd;font-size:.85rem}
.k.program{background:#f3e5f5}.k.evidence{background:#fff8e1}.k.party{background:#e8f5e9}
.k.grant{background:#fce4ec}.p,code{font:12px/1.4 ui-monospace,monospace;color:#666;
overflow-wrap:anywhere}.e{color:#37474f}.ok{color:#2e7d32}.no{color:#c62828;font-weight:600}
table.wide th,table.wide td{width:auto;font-size:.82rem}thead{display:table-header-group}
@media print{body{max-width:none;margin:0;font-size:11px}tr,li{break-inside:avoid}
h2{break-after:avoid}}
"""
_TERMS: Final = {
    "product": "产品 product",
    "delivery": "交付 delivery",
    "task": "任务 task",
    "program": "计算程序 program",
    "grant": "授权 grant",
    "demand": "需求 demand",
    "dataset": "数据集 data set",
    "agreement": "合同 agreement",
    "statement": "对账单 statement",
    "evidence": "存证 evidence",
    "party": "相关方 party",
}
# What is shown below a node, in this order; edges to parties come first, as they were made.
_DEEPER: Final = ("made from", "runs", "runs under", "answers", "computes on", "covers")
# And what came upon it: these edges lead to it, and are told from their other end.
_BELOW: Final = {"delivers": "delivered as", "is over": "agreed on in", "bills": "billed in"}


def render(manifest: Manifest, found: Answers) -> str:
    """The page of what was asked; `manifest` need not name its files yet."""
    plain = msgspec.to_builtins(manifest)
    made = datetime.fromtimestamp(manifest.made_ms / 1000, UTC)
    title = f"Audit answers: {shown(manifest.genesis.name)}"
    custody = found.custody
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
            f"<style>{STYLE}{_STYLE}</style></head><body>",
            f"<h1>{title}</h1>",
            *_verdict(manifest),
            section("What was asked", rows(_asked(manifest.asked))),
            *(_custody(custody) if custody is not None else ()),
            *(books_sections(found) if found.books else ()),
            *(_access(found) if "access" in manifest.asked.questions else ()),
            *(_acts(found) if "acts" in manifest.asked.questions else ()),
            "<h2>What the chain cannot know</h2><ul>",
            *(f"<li>{shown(words)}</li>" for words in manifest.cannot_be_known),
            "</ul>",
            *divergence_section(plain["divergence"]),
            section("What was examined", rows(examined_rows(plain, made))),
            section("The replay behind it", rows(figures_rows(plain["figures"])), is_numeric=True),
            "<footer>Every row names its transaction: <code>shuxin tx prove ID --genesis FILE"
            "</code> proves it at any node. <code>shuxin audit verify FOLDER</code> checks that "
            "this page and the files beside it are those that answers.json names and its signer "
            "signed.</footer></body></html>\n",
        )
    )


def _verdict(manifest: Manifest) -> Iterator[str]:
    height = manifest.figures.height
    if manifest.divergence is None:
        told = f"Verified up to block {height}: every answer follows from the genesis."
    else:
        told = (
            f"The source does not hold. Answered from blocks up to {height} alone, which were "
            f"verified; nothing above them is believed. {manifest.sentence}"
        )
    yield f'<p class="verdict {shown(manifest.verdict)}">{shown(told)}</p>'


def _asked(asked: AskedPart) -> Iterator[tuple[str, object]]:
    yield "questions", ", ".join(asked.questions)
    for name in ("grant", "party", "dataset", "product"):
        if getattr(asked, name):
            yield name, getattr(asked, name)
    if asked.from_ms is not None:
        yield "from (that moment included)", time_text(asked.from_ms)
    if asked.to_ms is not None:
        yield "to (that moment excluded)", time_text(asked.to_ms)


# --- tables -----------------------------------------------------------------------------------


def _acts(found: Answers) -> Iterator[str]:
    head = ("block", "time (UTC)", "party", "act", "outcome", "concerns", "transaction")
    lines = (
        (
            f"{act.height}/{act.index}",
            time_text(act.time_ms),
            _by(act),
            f"{act.contract}.{act.method}",
            "done" if act.status == 0 else f"{act.error}: {act.detail}",
            " ".join(map(id_of, ordered(act.direct))),
            act.transaction,
        )
        for act in found.acts
    )
    yield from wide_table("Acts 行为", head, lines, found.acts_count)


def _by(act: Act) -> str:
    """Who acted: id, name, roles, and a standing that is not the usual one."""
    by = act.by
    if not by.party:
        return f"no party: {act.sender}"
    standing = "" if by.standing == ACTIVE else f" [{by.standing} {by.node}]"
    return f"{by.party} {by.name} ({', '.join(by.roles)}){standing}"


def _access(found: Answers) -> Iterator[str]:
    head = ("block", "time (UTC)", "what happened", "to", "by", "what", "terms", "transaction")
    lines = (
        (
            f"{access.act.height}/{access.act.index}",
            time_text(access.act.time_ms),
            access.kind.value,
            access.receiver,
            access.giver,
            f"{access.what} {' '.join(access.datasets)}",
            f"{access.terms} {access.digest}",
            access.act.transaction,
        )
        for access in found.access
    )
    yield from wide_table("Who saw what 知悉", head, lines, found.access_count)


# --- custody ----------------------------------------------------------------------------------


def _custody(custody: Custody) -> Iterator[str]:
    links = links_of(custody)
    missing = [link for link in links if not link.holds]
    yield f"<h2>Chain of custody 保管链 of {shown(custody.product)}</h2>"
    yield '<ul class="tree">'
    yield from _branch(custody, ("product", custody.product), set())
    yield "</ul>"
    if custody.evidence_left_out:
        yield f"<p>{custody.evidence_left_out:,} more records of evidence are in the acts.</p>"
    yield f"<h2>Links: {len(links) - len(missing)} hold, {len(missing)} missing</h2><ul>"
    for link in (*missing, *(link for link in links if link.holds)):
        mark, kind = ("✓", "ok") if link.holds else ("✗ missing:", "no")
        proofs = " ".join(link.transactions)
        yield (
            f'<li><span class="{kind}">{mark}</span> {shown(link.says)} '
            f'<span class="p">{shown(short(proofs))}</span></li>'
        )
    yield "</ul>"


def _branch(custody: Custody, subject: Subject, above: set[Subject]) -> Iterator[str]:
    """A node with its story, and below it what it came from; each is told once."""
    node = custody.nodes.get(subject)
    yield f"<li>{_head(custody, subject)}"
    if subject in above or node is None:
        yield " (see above)</li>" if subject in above else "</li>"
        return
    above.add(subject)
    facts = "; ".join(f"{name} {value}" for name, value in node.facts.items())
    if facts:
        yield f'<div class="p">{shown(short(facts))}</div>'
    outgoing = [edge for edge in custody.edges if edge.source == subject]
    for edge in outgoing:
        if edge.relation not in _DEEPER and edge.relation not in _BELOW:
            yield _line(edge, edge.target)
    for edge in custody.edges:
        if edge.target == subject and edge.relation == "is about":
            yield _evidence(custody, edge)
    below = [edge for edge in custody.edges if edge.target == subject and edge.relation in _BELOW]
    deeper = [edge for edge in outgoing if edge.relation in _DEEPER]
    deeper.sort(key=lambda edge: _DEEPER.index(edge.relation))
    if below or deeper:
        yield "<ul>"
        for edge in below:
            yield _proof(_BELOW[edge.relation], edge)
            yield from _branch(custody, edge.source, above)
        for edge in deeper:
            yield _proof(edge.relation, edge)
            yield from _branch(custody, edge.target, above)
        yield "</ul>"
    yield "</li>"


def _head(custody: Custody, subject: Subject) -> str:
    kind, name = subject
    node = custody.nodes.get(subject)
    title = f" {shown(node.title)}" if node is not None and node.title else ""
    term = shown(_TERMS.get(kind, kind))
    return f'<span class="k {shown(kind)}">{term}</span> <strong>{shown(name)}</strong>{title}'


def _line(edge: Edge, other: Subject) -> str:
    note = f" “{shown(short(edge.note))}”" if edge.note else ""
    told = f"{shown(edge.relation)} <b>{shown(other[1])}</b>{note} {_place(edge)}"
    return f'<div class="e">{told}</div>'


def _evidence(custody: Custody, edge: Edge) -> str:
    kind = custody.fact(edge.source, "kind")
    by = next((e.target[1] for e in custody.related("recorded by") if e.source == edge.source), "")
    return (
        f'<div class="e"><span class="k evidence">存证 {shown(kind)}</span> '
        f"{shown(edge.source[1])} by <b>{shown(by)}</b> {_place(edge)}</div>"
    )


def _proof(relation: str, edge: Edge) -> str:
    return f'<li class="e">{shown(relation)} {_place(edge)}</li>'


def _place(edge: Edge) -> str:
    proof = edge.proof
    return (
        f'<span class="p">block {proof.height}, {time_text(proof.time_ms)}, '
        f"{shown(proof.transaction)}</span>"
    )
