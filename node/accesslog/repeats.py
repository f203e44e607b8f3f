"""Many refusals alike are one entry with a count: a flood must not fill the disk with its log."""

from __future__ import annotations

from dataclasses import dataclass

from node.accesslog.entry import Request

WINDOW_MS = 10_000  # for which refusals are counted before they are written
# Callers times methods that are counted apart. Who comes beyond is counted with all others:
# strangers can take as many names as they like.
KINDS_MAX = 1024
OTHERS = "*"


@dataclass(slots=True)
class _Counted:
    until_ms: int
    request: Request
    code: str
    count: int = 0


class Repeats:
    """Not thread safe: the keeper holds its lock."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, str, str, str], _Counted] = {}

    def take(self, request: Request, code: str, now_ms: int) -> bool:
        """Whether a refusal is only counted, since one like it was written a moment ago."""
        key = (request.account, request.peer, request.method, code)
        known = self._counted.get(key)
        if known is None and len(self._counted) >= KINDS_MAX:
            key = ("", OTHERS, OTHERS, code)
            known = self._counted.get(key)
        if known is not None:
            known.count += 1
            return True
        about = Request(key[2], b"", key[0], b"", (), key[1])
        self._counted[key] = _Counted(now_ms + WINDOW_MS, about, code)
        return False

    def due(self, now_ms: int | None) -> list[tuple[Request, str, int]]:
        """(request, code, count) of what was counted and is to be written; all, without a time."""
        over = [
            key for key, one in self._counted.items() if now_ms is None or now_ms >= one.until_ms
        ]
        found = [self._counted.pop(key) for key in over]
        return [(one.request, one.code, one.count) for one in found if one.count]
