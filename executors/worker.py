"""The daemon: takes its party's tasks off the chain, has them computed, and reports.

    TaskCreated  -> check grant, algorithm, data set and program -> accept, or fail with the reason
    TaskReady    -> queue; run the engine in its subprocess      -> report, or fail with the reason
    an end       -> stop what still runs for that task

One thread decides (`Worker.step`), one follows events, one runs each computation. Tasks start in
the order of the chain time at which they became ready, then of their ids, whatever told of them:
an order alike at all executors, so that busy ones never wait for each other in a circle.

A task's key lives in memory only. After a restart, tasks accepted before it cannot be finished by
anybody and are failed at once.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from client.errors import ClientError, Refused
from client.node import ChainEvent
from executors.chain import (
    CONTRACT,
    PAGE,
    Chain,
    GrantText,
    contract_code,
    read_algorithm,
    read_grant,
    read_open_tasks,
    read_task,
)
from executors.cursor import Cursor, CursorFile
from executors.data.registry import Registry
from executors.data.uses import ACCEPTED, COMPUTING, FAILED, FINISHED, Use, append_use
from executors.engine import ASSURANCES, Engine, Prepared, Report, TaskOrder
from executors.errors import (
    DataSetInvalid,
    EngineFailed,
    ExecutorError,
    TaskRefused,
)
from executors.follow import Follower
from executors.logs import Log
from executors.speaker import Speaker, Stopping, TooLate

EVENTS_MAX = 1_000  # events read ahead; then the stream waits
RESCAN_MS = 30_000  # how often open tasks are listed although no event told of one
PATIENCE_MS = 600_000  # how long a task waits for other participants while younger ones wait behind
CURSOR_STEP = 200  # heights without events after which the cursor is saved anyway
REASON_MAX = 512  # characters; the task contract's limit

ENDS = frozenset({"TaskFinished", "TaskDisputed", "TaskFailed", "TaskCancelled", "TaskExpired"})
STEP_S = 1.0  # how often deadlines and finished computations are looked at
JOIN_S = 20.0  # for a computation to be killed, or a report under way to be answered
RESTARTED = "the executor restarted and its key for this task is gone; order the task anew"


@dataclass(slots=True)
class Held:
    """A task this executor has accepted and not yet dropped."""

    order: TaskOrder
    dataset_id: str
    prepared: Prepared
    accepted_ms: int
    cancel: threading.Event = field(default_factory=threading.Event)
    is_ready: bool = False
    thread: threading.Thread | None = None


class Worker:
    """One executor: `start`, then `step` until told to stop, then `close`.

    All state belongs to the thread that steps; computing threads see one Held each.
    """

    def __init__(
        self,
        *,
        party: str,
        chain: Chain,
        engines: Mapping[str, Engine],
        registry: Registry,
        cursor: CursorFile,
        tasks_max: int,
        now_ms: Callable[[], int],
        log: Log,
    ) -> None:
        self._party = party
        self._chain = chain
        self._engines = engines
        self._registry = registry
        self._cursor_file = cursor
        self._cursor = cursor.load()
        self._tasks_max = tasks_max
        self._now_ms = now_ms
        self._log = log
        self._stop = threading.Event()
        self._speaker = Speaker(chain, stop=self._stop, now_ms=now_ms, log=log)
        self._held: dict[str, Held] = {}
        self._notices: queue.Queue[ChainEvent] = queue.Queue(EVENTS_MAX)
        self._rescan_ms = 0

    @property
    def held(self) -> frozenset[str]:
        """Ids of the tasks accepted and not yet dropped."""
        return frozenset(self._held)

    def start(self) -> None:
        """Checks who it speaks for and follows the chain. Raises TaskRefused or Stopping."""
        speaks_for = self._speaker.view("parties", "party_of", self._chain.address)
        if speaks_for != self._party:
            raise TaskRefused(
                f"account {self._chain.address} speaks for {speaks_for or 'no party'!r}, and the "
                f"configuration says {self._party!r}: register the account, or correct `party`"
            )
        follower = Follower(
            self._chain, self._cursor, self._notices, stop=self._stop, log=self._log
        )
        follower.start()
        self._log.info("executor_started", height=self._cursor.height)

    def stop(self) -> None:
        """Makes `step` return soon and all waiting end; callable from a signal handler."""
        self._stop.set()

    @property
    def is_stopping(self) -> bool:
        return self._stop.is_set()

    def step(self, timeout_s: float) -> None:
        """Handles at most one event, then what time and finished computations ask for."""
        try:
            event = self._notices.get(timeout=timeout_s)
        except queue.Empty:
            event = None
        try:
            if event is not None:
                self._handle(event)
                self._advance(event)
            self._tick()
        except Stopping:
            return

    def close(self) -> None:
        """Cancels and waits for computations; ports and directories are given up."""
        self._stop.set()
        for held in self._held.values():
            held.cancel.set()
        for held in self._held.values():
            if held.thread is not None:
                held.thread.join(JOIN_S)
            held.prepared.close()
        self._held.clear()
        self._chain.close()
        self._log.info("executor_stopped")

    # --- events -------------------------------------------------------------------------------

    def _handle(self, event: ChainEvent) -> None:
        participants = event.fields.get("participants", [])
        task_id = event.fields.get("task_id", "")
        if not isinstance(task_id, str) or not isinstance(participants, list):
            return
        if self._party not in participants:
            return
        if event.name in ("TaskCreated", "TaskReady"):
            # All of them, not this one alone: another may have become ready before it.
            self._scan()
        elif event.name in ENDS and task_id in self._held:
            self._log.info("task_ended", task=task_id, end=event.name)
            self._held[task_id].cancel.set()

    def _advance(self, event: ChainEvent) -> None:
        if event.name or event.height >= self._cursor.height + CURSOR_STEP:
            self._cursor = Cursor(event.height, event.index)
            self._cursor_file.save(self._cursor)

    def _tick(self) -> None:
        for task_id in [*self._held]:
            self._drop_if_over(task_id)
        if self._now_ms() >= self._rescan_ms:
            self._rescan_ms = self._now_ms() + RESCAN_MS
            self._stop_uncovered()
            self._scan()
        self._launch()

    def _drop_if_over(self, task_id: str) -> None:
        held = self._held[task_id]
        if held.thread is not None:
            is_over = not held.thread.is_alive()
        else:
            is_late = self._now_ms() >= held.order.deadline_ms
            if is_late and not held.cancel.is_set():
                self._say_expired(held.order)
            is_over = is_late or held.cancel.is_set()
        if is_over:
            held.prepared.close()
            del self._held[task_id]
            self._rescan_ms = 0  # there is room for a task that had to wait

    def _stop_uncovered(self) -> None:
        """Ends computations whose grant or algorithm was taken out of use while they ran.

        A revocation ends their tasks, and events tell; a suspension leaves the tasks open.
        """
        for held in self._held.values():
            if held.thread is None or not held.thread.is_alive() or held.cancel.is_set():
                continue
            try:
                self._ensure_covered(held.order)
            except TaskRefused as error:
                held.cancel.set()
                self._fail(held.order, str(error))

    def _scan(self) -> None:
        """Takes the next step for the party's open tasks, the oldest PAGE of them.

        One answer of the node shows them all at one height. That matters: a task marked ready
        while an earlier one is not yet seen to be would start out of order. Younger tasks wait on
        chain until older ones end, so at most PAGE ports are held.
        """
        tasks = read_open_tasks(self._speaker.view(CONTRACT, "open_for", self._party, 0, PAGE))
        if len(tasks) == PAGE:
            self._give_up_waiting()
        for task in tasks:
            held = self._held.get(task.id)
            if held is None or (task.status == "running" and not held.is_ready):
                self._look_at(task.id)

    def _give_up_waiting(self) -> None:
        """Fails what the others did not accept for long: an operator that orders tasks with
        somebody who is never there would else keep this executor from all younger ones for a week.
        """
        for held in self._held.values():
            is_over = held.is_ready or held.cancel.is_set()
            if not is_over and self._now_ms() - held.accepted_ms >= PATIENCE_MS:
                held.cancel.set()
                minutes = PATIENCE_MS // 60_000
                reason = f"not accepted by all in {minutes} minutes, and other tasks wait behind it"
                self._fail(held.order, reason)

    # --- decisions ----------------------------------------------------------------------------

    def _look_at(self, task_id: str) -> None:
        """Accepts, refuses or marks ready; doing so twice does no harm."""
        try:
            order = read_task(self._speaker.view(CONTRACT, "show", task_id))
        except Refused as refusal:
            self._log.warning("task_unreadable", task=task_id, reason=str(refusal))
            return
        rank = order.rank_of(self._party)
        if rank is None or self._party in order.reporters:
            return
        held = self._held.get(task_id)
        if held is not None:
            if order.status == "running" and not held.is_ready:
                held.order = order
                held.is_ready = True
        elif order.participants[rank].endpoint:
            if order.status in ("created", "running"):
                self._fail(order, RESTARTED)
        elif order.status == "created":
            self._consider(order, rank)

    def _consider(self, order: TaskOrder, rank: int) -> None:
        if self._now_ms() >= order.deadline_ms:
            self._say_expired(order)
            return
        try:
            grant = self._checked_grant(order, rank)
            engine = self._engines.get(order.algorithm)
            if engine is None:
                raise TaskRefused(f"this executor does not run {order.algorithm}")
            _check_engine(grant, order.grant_id, engine)
            self._check_image(order, engine)
            prepared = engine.prepare(order, rank)
        except ExecutorError as error:
            self._fail(order, str(error))
            return
        dataset_id = order.participants[rank].dataset_id
        held = Held(order, dataset_id, prepared, self._now_ms())
        offer = prepared.offer
        try:
            self._speaker.call(
                CONTRACT,
                "accept",
                order.task_id,
                offer.endpoint,
                offer.certificate,
                offer.data_commitment,
                until_ms=order.deadline_ms,
            )
        except Refused as refusal:
            # Accepted already: by an earlier attempt of this very call, so it is held.
            if contract_code(refusal) != "task.accepted":
                prepared.close()
                self._fail(order, f"could not accept: {refusal.detail or refusal.code}")
                return
        except (TooLate, Stopping):
            prepared.close()
            return
        self._held[order.task_id] = held
        self._note(held, ACCEPTED)
        self._log.info("task_accepted", task=order.task_id, endpoint=offer.endpoint)
        # Its TaskReady may have come while it was being accepted.
        self._rescan_ms = min(self._rescan_ms, self._now_ms() + 1_000)

    def _checked_grant(self, order: TaskOrder, rank: int) -> GrantText:
        """The chain checks grants, too; an executor that trusts its node need not trust more."""
        try:
            grant = read_grant(self._speaker.view("grant", "show", order.grant_id))
        except Refused as refusal:
            raise TaskRefused(f"grant {order.grant_id}: {refusal.detail}") from None
        if grant.status != "active" or grant.operator != order.operator:
            raise TaskRefused(f"grant {order.grant_id} does not stand for {order.operator}")
        if order.algorithm not in grant.algorithms:
            raise TaskRefused(f"grant {order.grant_id} does not name {order.algorithm}")
        if order.participants[rank].dataset_id not in grant.datasets:
            raise TaskRefused(f"grant {order.grant_id} does not name this data set")
        return grant

    def _ensure_covered(self, order: TaskOrder) -> None:
        """Grant and algorithm still stand: rows are not used for what the chain would no longer
        take the report of (8.6.4b). Raises TaskRefused."""
        try:
            self._speaker.view("grant", "ensure_valid", order.grant_id)
            self._speaker.view("algorithm", "ensure_runnable", order.algorithm)
        except Refused as refusal:
            raise TaskRefused(f"it may not go on: {refusal.detail or refusal.code}") from None

    def _check_image(self, order: TaskOrder, engine: Engine) -> None:
        """What runs on the data is what a manager approved, to the byte (8.4.4b, 8.5c)."""
        try:
            found = read_algorithm(self._speaker.view("algorithm", "show", order.algorithm))
        except Refused as refusal:
            raise TaskRefused(f"algorithm {order.algorithm}: {refusal.detail}") from None
        if found.status != "approved":
            raise TaskRefused(f"algorithm {order.algorithm} is {found.status}")
        if engine.image_digest not in found.digests:
            raise TaskRefused(
                f"the image of {order.algorithm} here, {engine.image_digest.hex()}, was not "
                "approved: install an approved one, or have its provider propose this one"
            )

    def _launch(self) -> None:
        running = sum(1 for held in self._held.values() if held.thread is not None)
        waiting = [
            held
            for held in self._held.values()
            if held.is_ready and held.thread is None and not held.cancel.is_set()
        ]
        waiting.sort(key=lambda held: (held.order.ready_ms, held.order.task_id))
        for held in waiting[: max(0, self._tasks_max - running)]:
            held.thread = threading.Thread(
                target=self._compute, args=(held,), name=held.order.task_id, daemon=True
            )
            held.thread.start()

    # --- one computation, in its own thread ---------------------------------------------------

    def _compute(self, held: Held) -> None:
        order = held.order
        log = self._log.bind(task=order.task_id)
        try:
            self._ensure_covered(order)  # much may have happened since it was accepted
            self._note(held, COMPUTING)
            report = held.prepared.run(
                order, cancel=held.cancel, progress=lambda stage: log.info("stage", stage=stage)
            )
            self._report(order, report)
        except (ExecutorError, Refused) as error:
            self._note(held, FAILED)
            log.warning("task_failed", reason=str(error))
            if not held.cancel.is_set():
                self._fail(order, str(error))
        except (TooLate, Stopping):
            self._note(held, FAILED)
            log.warning("task_abandoned")
        else:
            self._note(held, FINISHED)
            log.info("task_reported", resources=list(report.resources))

    def _report(self, order: TaskOrder, report: Report) -> None:
        try:
            self._speaker.call(
                CONTRACT,
                "report",
                order.task_id,
                report.program_hash,
                report.transcript_root,
                report.output_commitment,
                report.output_share,
                list(report.resources),
                report.protection,
                until_ms=order.deadline_ms,
            )
        except Refused as refusal:
            if contract_code(refusal) != "task.reported":
                raise EngineFailed(
                    f"the report was refused: {refusal.detail or refusal.code}", stage="reporting"
                ) from None

    # --- words --------------------------------------------------------------------------------

    def _fail(self, order: TaskOrder, reason: str) -> None:
        """Says on chain why this party is out; whoever waits need not wait for the deadline."""
        self._log.warning("task_refused", task=order.task_id, reason=reason)
        try:
            self._speaker.call(
                CONTRACT,
                "fail",
                order.task_id,
                f"{self._party}: {reason}"[:REASON_MAX],
                until_ms=order.deadline_ms,
            )
        except Refused as refusal:
            self._log.info("fail_refused", task=order.task_id, code=contract_code(refusal))
        except (TooLate, Stopping):
            self._log.info("fail_unsaid", task=order.task_id)

    def _say_expired(self, order: TaskOrder) -> None:
        try:
            self._chain.call(CONTRACT, "expire", order.task_id)
        except ClientError as error:
            # Another participant was faster, or the chain's clock is behind ours.
            self._log.info("expire_unsaid", task=order.task_id, reason=str(error))

    def _note(self, held: Held, state: str) -> None:
        """Adds to the data set's record of uses (8.2.2b2)."""
        try:
            folder = self._registry.folder(held.dataset_id)
            append_use(folder, Use(held.order.task_id, state, self._now_ms()))
        except (DataSetInvalid, OSError):
            self._log.warning("use_unrecorded", task=held.order.task_id, state=state)


def _check_engine(grant: GrantText, grant_id: str, engine: Engine) -> None:
    """The chain does not see what comes out, nor where it is computed: who holds the rows does."""
    if engine.output not in grant.outputs:
        raise TaskRefused(f"grant {grant_id} does not allow {engine.output} as output")
    # An assurance that this release does not know may be any: it is not met.
    met = ASSURANCES[: ASSURANCES.index(engine.assurance) + 1]
    if grant.assurance not in met:
        raise TaskRefused(
            f"grant {grant_id} asks for {grant.assurance}; {engine.algorithm} has "
            f"{engine.assurance}: use an algorithm of a trusted environment"
        )
