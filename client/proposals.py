"""What a proposal is about, on one line, as the command line writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from client.waiting import items, number, text

if TYPE_CHECKING:
    from client.waiting import Row

SUBJECTS: Final = ("node", "successor", "party", "vm_version", "subject")
AT_THE_EARLIEST: Final = frozenset({"change_parameters", "switch_feature"})  # 0: no height named
HOUR_MS: Final = 3_600_000


def about(row: Row) -> str:
    """Its subject and what is to hold for it: `sealed_evidence --off --not-before 5000`."""
    kind, height, root = text(row, "kind"), number(row, "from_height"), row.get("root")
    words = [name for field in SUBJECTS if (name := text(row, field))]
    if kind == "change_policy":
        words += policy_words(figures(row))
    else:
        words += [f"{name}={value}" for name, value in figures(row).items()]
    if kind == "switch_feature":
        words.append("--on" if row.get("on") is True else "--off")
    if kind == "retire_root" and isinstance(root, bytes):
        words.append(f"--fingerprint {root.hex()}")
    if height:
        option = "--not-before" if kind in AT_THE_EARLIEST else "--from-height"
        words.append(f"{option} {height}")
    return " ".join(words)


def figures(row: Row) -> dict[str, int]:
    """The names and values that it sets."""
    return dict(_figures(row))


def share_text(share: int) -> str:
    """Percent of the organizations, or `quorum`."""
    return f"{share}%" if share else "quorum"


def term_text(term_ms: int) -> str:
    """`7d` or `36h`; what is neither, in ms."""
    if term_ms % (24 * HOUR_MS) == 0:
        return f"{term_ms // (24 * HOUR_MS)}d"
    return f"{term_ms // HOUR_MS}h" if term_ms % HOUR_MS == 0 else f"{term_ms}ms"


def policy_words(policy: dict[str, int]) -> list[str]:
    """A policy as the options of `proposal change-policy`."""
    return [
        f"--managers {policy.get('managers', 0)}",
        f"--share {share_text(policy.get('share', 0))}",
        "--veto" if policy.get("has_veto") else "--no-veto",
        f"--term {term_text(policy.get('term_ms', 0))}",
    ]


def _figures(row: Row) -> Iterator[tuple[str, int]]:
    for pair in items(row.get("values")):
        match items(pair):
            case (str(name), int(value)):
                yield name, value
