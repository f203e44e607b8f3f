"""The page of an audit report: one file, no scripts, nothing from elsewhere.

Everything that is shown comes from the document, through `shown`: names of contracts and files are
anybody's words. The document stands in the page as data, so that the page can be made again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

PAGE_ROWS_MAX: Final = 2_000  # of each table on a page; the other formats have all
WORDS_MAX: Final = 300  # characters of a cell; the other formats have all
EMBED_BEGIN: Final = '<script type="application/json" id="document">'
EMBED_END: Final = "</script>"

STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem;border-bottom:1px solid #ccc}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;
padding:.25rem .6rem .25rem 0;border-bottom:1px solid #eee}th{font-weight:600;width:15rem}
td{overflow-wrap:anywhere}.n td{font-variant-numeric:tabular-nums}
.verdict{padding:.8rem 1rem;border-left:.5rem solid;overflow-wrap:anywhere}
.intact{background:#e8f5e9;border-color:#2e7d32}.diverges{background:#fdecea;border-color:#c62828}
footer{margin-top:2rem;color:#666;font-size:.85rem}
"""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # categories of Unicode
_ANOMALIES: Final = {
    "without_execution_certificate": "blocks without an execution certificate of their own "
    "(a later one covers them)",
    "ordered_after_view_change": "blocks ordered after a change of the primary",
    "time_raised": "blocks whose time was raised above their predecessor's",
    "ordered_but_dropped": "transactions that were ordered and left out by the rules",
    "failed_transactions": "transactions that were executed and refused by their contract",
}


def render(document: Mapping[str, Any], source: str) -> str:
    """The page of a document, given as plain values, with its JSON text `source` inside."""
    report = document["report"]
    made = datetime.fromtimestamp(report["made_ms"] / 1000, UTC)
    embedded = source.replace("<", "\\u003c")  # so that nothing in it ends the element
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<title>Audit of {shown(report['genesis']['name'])}</title>",
            f"<style>{STYLE}</style></head><body>",
            f"<h1>Audit report: {shown(report['genesis']['name'])}</h1>",
            f'<p class="verdict {shown(report["verdict"])}">'
            f"<strong>{shown(report['verdict'].capitalize())}.</strong> "
            f"{shown(report['sentence'])}</p>",
            *divergence_section(report["divergence"]),
            section("What was examined", rows(examined_rows(report, made))),
            section("Figures", rows(figures_rows(report["figures"])), is_numeric=True),
            section("Anomalies that the rules allow", _anomalies(report["anomalies"])),
            section("Contracts at the end", _contracts(report["contracts"])),
            section("Signature", rows(_signature(document["signature"]))),
            "<footer>Every block was executed again from the genesis, every signature verified; "
            "nothing but the genesis was trusted. Check this page with "
            "<code>shuxin audit verify FILE</code>.</footer>",
            f"{EMBED_BEGIN}{embedded}{EMBED_END}",
            "</body></html>\n",
        )
    )


def shown(value: object) -> str:
    """Anybody's words for a page: escaped, and what would not be seen, or would turn others
    around (controls, marks of direction, line ends), as \\u and its number."""
    words = "".join(
        letter if unicodedata.category(letter) not in _UNSEEN else f"\\u{ord(letter):04x}"
        for letter in str(value)
    )
    return escape(words)


def section(title: str, body: str, *, is_numeric: bool = False) -> str:
    """A table under a title; `body` is its rows, escaped."""
    kind = ' class="n"' if is_numeric else ""
    return f"<h2>{shown(title)}</h2><table{kind}>{body}</table>"


def rows(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values, escaped."""
    return "".join(
        f"<tr><th>{shown(name)}</th><td>{shown(value)}</td></tr>" for name, value in pairs
    )


def wide_table(
    title: str, head: Sequence[str], lines: Iterable[Sequence[str]], count: int
) -> Iterator[str]:
    """A table of many columns under its title; `lines` are the first of `count`."""
    yield f"<h2>{shown(title)}: {count:,}</h2>"
    if count > PAGE_ROWS_MAX:
        yield f"<p>The first {PAGE_ROWS_MAX:,} are shown; the other formats have all.</p>"
    if not count:
        yield "<p>None.</p>"
        return
    yield '<table class="wide"><thead><tr>'
    yield "".join(f"<th>{shown(name)}</th>" for name in head) + "</tr></thead>"
    for line in lines:
        yield "<tr>" + "".join(f"<td>{shown(short(cell))}</td>" for cell in line) + "</tr>"
    yield "</table>"


def short(words: str) -> str:
    return words if len(words) <= WORDS_MAX else words[:WORDS_MAX] + "…"


def divergence_section(divergence: Mapping[str, Any] | None) -> list[str]:
    """The first divergence, where there is one."""
    if divergence is None:
        return []
    shown = [(name, value) for name, value in divergence.items() if value != ""]
    return [section("The first divergence", rows(shown))]


def examined_rows(report: Mapping[str, Any], made: datetime) -> list[tuple[str, object]]:
    """What was trusted and what was examined."""
    genesis, source = report["genesis"], report["source"]
    pairs: list[tuple[str, object]] = [
        ("chain id (SM3 of the genesis)", genesis["chain_id"]),
        ("validators of the genesis", genesis["validators"]),
        ("engine of the genesis", genesis["vm_version"]),
        (source["kind"], source["name"]),
    ]
    if source["archive"]:
        pairs.append(("digest of the archive", source["archive"]))
    return [
        *pairs,
        ("digest of what holds", source["content"]),
        ("examined", f"{made:%Y-%m-%d %H:%M:%S} UTC, shuxin {report['release']}"),
    ]


def figures_rows(figures: Mapping[str, Any]) -> list[tuple[str, object]]:
    """How far it holds, and what the replay did."""
    pairs: list[tuple[str, object]] = [
        ("last height that holds", figures["height"]),
        ("certified height", figures["certified_height"]),
        ("state root", figures["state_root"]),
        ("transactions executed", f"{figures['transactions']:,}"),
        ("signatures verified", f"{figures['signatures']:,}"),
        ("committees", figures["committees"]),
        ("recovery plans", figures["recoveries"]),
        ("seconds", f"{figures['milliseconds'] / 1000:,.1f} on {figures['threads']} threads"),
        (
            "rate",
            f"{figures['transactions_per_second']:,} transactions/s, "
            f"{figures['signatures_per_second']:,} signatures/s",
        ),
    ]
    if figures["resumed_height"]:
        pairs.append(("resumed after height", figures["resumed_height"]))
    if figures["bound"]:
        share = f"{figures['share'] / 10:.1f} % of {figures['bound']:,} raw verifications/s"
        pairs.append(("share of the signature bound", share))
    return pairs


def _anomalies(anomalies: Iterable[Mapping[str, Any]]) -> str:
    pairs = []
    for found in anomalies:
        heights = ", ".join(str(height) for height in found["heights"])
        pairs.append(
            (_ANOMALIES.get(found["name"], found["name"]), f"{found['count']}; at {heights}")
        )
    return rows(pairs or [("none", "")])


def _contracts(contracts: Iterable[Mapping[str, Any]]) -> str:
    return rows(
        (found["name"], f"version {found['sequence']}, {found['status']}, {found['code_hash']}")
        for found in contracts
    )


def _signature(signature: Mapping[str, Any] | None) -> list[tuple[str, object]]:
    if signature is None:
        return [("not signed", "")]
    return [
        ("address", signature["address"]),
        ("public key (SM2)", signature["public_key"]),
        ("signature", signature["signature"]),
    ]
