"""Networks whose clients may ask as much as they can: for load, and for fuzzing."""

from __future__ import annotations

import re
from pathlib import Path

from node.config import RATE_MAX


def lift(root: Path) -> None:
    """Raise the quotas of every node of a network that is not running."""
    for path in root.glob("nodes/*/node.toml"):
        told = path.read_text()
        for name in ("caller", "host", "anonymous", "total"):
            told = re.sub(rf"^{name} = \d+$", f"{name} = {RATE_MAX}", told, flags=re.MULTILINE)
        path.write_text(told)
