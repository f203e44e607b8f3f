"""The patrol (巡检): a running node examines everything that it keeps, again and again.

On a thread, on snapshots, at a bounded share of the time, so that commits do not wait for it. How
far it is outlives a restart; a node's first patrol is due at an hour that its name decides, so that
the nodes of a network are not all at it together.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import structlog
import trio

from crypto import sm3
from ledger.certificates import VerifyBatch
from ledger.findings import Finding, Findings
from ledger.model import Record
from ledger.scrub import ScrubProgress
from ledger.store import Store
from node.verify import examine_accusations, examine_journal

# Of the time, what a patrol works at most: the rest it sleeps. One that a person waits for takes
# more. Both bound what it takes from one core and from the disk, however fast they are.
SHARE = 0.1
SHARE_ASKED = 0.5
WORK_S = 0.005  # after which it pauses: what waits for it waits no longer
PAUSE_MAX_S = 1.0  # after which it looks whether the node ends
BATCH_BLOCKS = 500  # on one snapshot; after each the progress is kept
FILE = "patrol.json"

_log = structlog.get_logger("node.patrol")


class PatrolState(Record):
    """What a patrol is at, and what the last one found."""

    is_running: bool
    stage: str
    done: int
    total: int  # 0: not known
    height: int
    ended_ms: int  # Unix time of the end of the last whole one; 0: none yet
    findings: tuple[Finding, ...]
    more: int


class Patrol:
    """Main task, but for `state`, which any thread may read."""

    def __init__(
        self,
        store: Store,
        data_dir: Path,
        verify_batch: VerifyBatch,
        *,
        hours: int,
        name: str,
        on_damage: Callable[[Findings], None],
    ) -> None:
        """`hours` from one to the next; 0: only when asked."""
        self._store = store
        self._data_dir = data_dir
        self._verify_batch = verify_batch
        self._period_s = hours * 3600
        self._first_s = int.from_bytes(sm3.digest(name.encode())[:8]) % max(1, self._period_s)
        self._on_damage = on_damage
        self._asked = trio.Event()
        self._share = SHARE
        self._paused_at_s = 0.0
        self._next, self._ended_ms, self._is_urgent = self._kept()
        self._found = Findings()  # by the last one
        self.state = self._state()

    def ask(self) -> PatrolState:
        """Have a patrol begin now, or hurry."""
        self._share = SHARE_ASKED
        if not self.state.is_running:
            self._next = 0
            self.state = self._state(ScrubProgress("blocks", 0, None))
            self._asked.set()
        return self.state

    async def run(self) -> None:
        """Patrol until cancelled."""
        while True:
            with trio.move_on_after(self._due_s()):
                await self._asked.wait()
            self.state = self._state(ScrubProgress("blocks", self._next, None))
            _log.info("scrub_begins", from_height=self._next)
            findings = Findings()
            await trio.to_thread.run_sync(self._examine, findings)
            self._end(findings)

    def _due_s(self) -> float:
        """Seconds until the next one; at once where the last one was cut off or found damage."""
        if not self._period_s:
            return float("inf")
        if self._next or self._is_urgent:
            return 0
        if not self._ended_ms:
            return self._first_s
        return max(0, self._ended_ms / 1000 + self._period_s - time.time())

    # --- on the thread ----------------------------------------------------------------------

    def _examine(self, findings: Findings) -> None:
        self._paused_at_s = time.monotonic()
        scrub = self._store.examination(
            findings, verify_batch=self._verify_batch, progress=self._step
        )
        while self._next <= self._store.height and not findings.all:
            following = scrub.blocks(self._next, BATCH_BLOCKS)
            if not findings.all:  # or a restart would pass over them
                self._next = following
                self._keep()
        scrub.rest()
        examine_journal(self._data_dir, findings)
        examine_accusations(self._data_dir, self._store.epochs, self._verify_batch, findings)

    def _step(self, step: ScrubProgress) -> None:
        """Tell how far it is, and rest in proportion to the work since the last rest."""
        self.state = self._state(step)
        worked_s = time.monotonic() - self._paused_at_s
        if worked_s < WORK_S:
            return
        left_s = worked_s * (1 / self._share - 1)
        while left_s > 0:
            trio.from_thread.check_cancelled()
            time.sleep(min(left_s, PAUSE_MAX_S))
            left_s -= PAUSE_MAX_S
        self._paused_at_s = time.monotonic()

    # --- the end ----------------------------------------------------------------------------

    def _end(self, findings: Findings) -> None:
        self._asked = trio.Event()
        self._share = SHARE
        self._next = 0
        self._ended_ms = time.time_ns() // 1_000_000
        self._is_urgent = False
        self._keep(is_damaged=bool(findings.all))
        self._found = findings
        self.state = self._state()
        for found in findings.all:
            _log.error(
                "damage",
                area=found.area,
                height=found.height,
                file=found.file,
                offset=found.offset,
                finding=found.text,
            )
        _log.info("scrub_ended", height=self._store.height, findings=len(findings.all))
        if findings.all:
            self._on_damage(findings)

    def _state(self, step: ScrubProgress | None = None) -> PatrolState:
        """`step`: of what is under way, None between two of them."""
        return PatrolState(
            is_running=step is not None,
            stage=step.stage if step is not None else "",
            done=step.done if step is not None else 0,
            total=(step.total or 0) if step is not None else 0,
            height=self._store.height,
            ended_ms=self._ended_ms,
            findings=tuple(self._found.all),
            more=self._found.more,
        )

    # --- what outlives a restart ------------------------------------------------------------

    def _kept(self) -> tuple[int, int, bool]:
        """Whatever is wrong with the file: begin from the start."""
        try:
            kept = json.loads((self._data_dir / FILE).read_text(encoding="utf-8"))
            following, ended_ms, is_damaged = kept["next"], kept["ended_ms"], kept["is_damaged"]
        except (OSError, ValueError, KeyError, TypeError):
            return 0, 0, False
        numbers = [number for number in (following, ended_ms) if type(number) is int]
        if len(numbers) < 2 or min(numbers) < 0 or following > self._store.height + 1:
            return 0, 0, False
        return following, ended_ms, bool(is_damaged)

    def _keep(self, *, is_damaged: bool = False) -> None:
        path = self._data_dir / FILE
        partial = path.with_suffix(".new")
        kept = {"next": self._next, "ended_ms": self._ended_ms, "is_damaged": is_damaged}
        try:
            partial.write_text(json.dumps(kept) + "\n", encoding="utf-8")
            partial.rename(path)
        except OSError as error:
            _log.warning("scrub_progress_not_kept", reason=str(error))
