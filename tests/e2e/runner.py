"""Executes a manifest: starts its network, keeps it busy, does what is due, asks for the verdict.

python -m tests.e2e.runner NAME [--times N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import psutil

from bench.processes import usage
from cli import supervisor
from client.errors import ClientError
from client.node import NodeClient
from ledger.committee import Epochs
from ledger.errors import CertificateInvalid
from ledger.genesis import chain_id
from tests.e2e import checks
from tests.e2e.checks import Accusation, Fault, Finding, Ledger
from tests.e2e.council import Council
from tests.e2e.load import Answers, Load
from tests.e2e.manifest import (
    AnyEvent,
    ClockSkew,
    CommitteeEvent,
    Disconnect,
    Equivocate,
    Kill,
    Manifest,
    ManifestInvalid,
    Pause,
    Restart,
    RollingRestart,
    Step,
    load,
    shortened,
)
from tests.e2e.namespaces import NotAllowed
from tests.e2e.report import Report, Usage
from tests.e2e.stage import SERVING, Stage

TARGET_S = 20.0  # for an honest live node to be primary, when an event asks for it
RESTART_S = 60.0  # for one node of a rolling restart to serve again
SETTLE_S = 90.0  # after the load, with all nodes up: until all have the same head
SAMPLE_S = 1.0
LAG_MAX = 8  # heights behind the others at which a restarted node counts as having caught up
# Heights that who is expelled may get after its last epoch: what was on its way to it.
EXPELLED_GRACE = 2


def run(manifest: Manifest, root: Path) -> Report:
    """Raises namespaces.NotAllowed before anything is started."""
    stage = Stage(root, manifest)
    try:
        stage.up()
        with Council(stage, manifest.seats_at_start, manifest.liars) as council:
            for name in manifest.observers:
                council.admit(name)
            return _Run(stage, manifest, council).play()
    finally:
        stage.down()


class _Run:
    """One life of a network under its manifest."""

    def __init__(self, stage: Stage, manifest: Manifest, council: Council) -> None:
        self._stage = stage
        self._manifest = manifest
        self._council = council
        self._away: set[str] = set()  # down, stopped or cut off
        self._hit: dict[AnyEvent, tuple[str, ...]] = {}  # whom an event met that has an end
        self._faults: list[Fault] = []
        self._findings: list[Finding] = []
        self._began = 0.0

    def play(self) -> Report:
        members = self._manifest.seats_at_start.members
        targets = [node.api for node in self._stage.plan.nodes if node.name in members]
        account = self._stage.account("operator")
        with Sampler(self._stage.root) as sampler:
            with Load(self._manifest.load, targets, account) as clients:
                self._began = time.monotonic()
                for step in self._manifest.timeline():
                    _sleep_until(self._began + step.at_s)
                    self._perform(step)
                _sleep_until(self._began + self._manifest.duration_s)
                self._council.finish()
                ended = time.monotonic()
            height = self._settle()
        return self._judge(clients.answers, ended, height, sampler.seen)

    @property
    def _honest(self) -> list[str]:
        """Nodes that run, belong to the network and do not lie."""
        without = self._manifest.liars | self._council.seats.expelled
        return [name for name in self._stage.running if name not in without]

    # --- events -----------------------------------------------------------------------------

    def _perform(self, step: Step) -> None:
        match step.event:
            case Kill():
                self._kill(step.event)
            case Restart():
                self._signal("restart", self._resolve(step.event.node), signal.SIGTERM)
            case RollingRestart():
                for name in self._honest:
                    self._restart(name)
            case Pause():
                self._pause(step.event, is_end=step.is_end)
            case Disconnect():
                self._disconnect(step.event, is_end=step.is_end)
            case ClockSkew():
                self._skew(step.event, is_end=step.is_end)
            case Equivocate():
                self._stage.make_liar(step.event.node)
            case event if isinstance(event, CommitteeEvent):
                self._council.ask(event)

    def _kill(self, event: Kill) -> None:
        name = self._resolve(event.node)
        if event.down:
            self._stage.hold_down(name)
            self._away.add(name)
        self._signal("kill", name, signal.SIGKILL)

    def _pause(self, event: Pause, *, is_end: bool) -> None:
        if is_end:
            (name,) = self._hit.pop(event)
            self._signal("continue", name, signal.SIGCONT)
            self._away.discard(name)
            return
        name = self._resolve(event.node)
        self._hit[event] = (name,)
        self._away.add(name)
        self._signal("pause", name, signal.SIGSTOP)

    def _disconnect(self, event: Disconnect, *, is_end: bool) -> None:
        if is_end:
            names = self._hit.pop(event)
            self._note("heal", *names)
            self._stage.heal(names)
            self._away.difference_update(names)
            return
        names = tuple(dict.fromkeys(self._resolve(target) for target in event.nodes))
        self._hit[event] = names
        self._away.update(names)
        committee = self._stage.committee(self._honest)
        inside = sum(validator.name in names for validator in committee.validators)
        if max(inside, committee.size - inside) >= committee.quorum:
            self._note("disconnect", *names)  # otherwise nothing may go on before it heals
        self._stage.cut(names)

    def _skew(self, event: ClockSkew, *, is_end: bool) -> None:
        if is_end:
            self._stage.right_clock(event.node)
        else:
            self._stage.set_clock(event.node, offset_s=event.offset_s, stopped=event.stopped)

    def _restart(self, name: str) -> None:
        """In order, and wait until the node serves a head near the others'."""
        before = self._stage.pid(name)
        self._signal("restart", name, signal.SIGTERM)
        others = [other for other in self._honest if other != name]

        def is_back() -> bool:
            found = self._stage.status_of(name)
            if self._stage.pid(name) in (None, before) or found is None:
                return False
            heads = [s.height for other in others if (s := self._stage.status_of(other))]
            return found.phase in SERVING and found.height + LAG_MAX >= max(heads, default=0)

        self._stage.wait(is_back, timeout_s=RESTART_S, what=f"{name} is back after its restart")

    def _signal(self, kind: str, name: str, number: signal.Signals) -> None:
        self._note(kind, name)
        if not self._stage.signal(name, number):
            self._findings.append(Finding("event", f"{kind}: {name} has no process"))

    def _note(self, kind: str, *names: str) -> None:
        self._faults.append(Fault(time.monotonic(), kind, " ".join(names)))

    def _resolve(self, target: str) -> str:
        """The node that `target` means now; roles are taken by honest nodes that are there."""
        if target not in ("primary", "backup"):
            return target
        stage = self._stage
        live = [name for name in self._honest if name not in self._away]
        found: list[str] = []

        def is_found() -> bool:
            primary = stage.primary(live)
            serving = [name for name in live if stage.serves(name)]
            if target == "primary":
                found[:] = [primary] if primary in serving else []
            elif primary is not None:
                order = [member.name for member in stage.committee(live).validators]
                place = order.index(primary)
                later = [*order[place + 1 :], *order[:place]]
                found[:] = [name for name in reversed(later) if name in serving][:1]
            return bool(found)

        stage.wait(is_found, timeout_s=TARGET_S, what=f"an honest live {target}")
        return found[0]

    # --- verdict ----------------------------------------------------------------------------

    def _settle(self) -> int | None:
        """End what has no end of its own; the height of the head that all come to, if they do."""
        stage = self._stage
        for name in stage.names:
            stage.let_up(name)
            stage.make_honest(name)
            stage.right_clock(name)
        deadline = time.monotonic() + SETTLE_S
        while (height := stage.agreement(self._honest)) is None:
            if time.monotonic() > deadline:
                heads = [
                    f"{name} {found.phase} {found.certified_height}/{found.height}"
                    if (found := stage.status_of(name))
                    else f"{name} does not answer"
                    for name in self._honest
                ]
                told = f"no common head within {SETTLE_S:g} s: {', '.join(heads)}"
                self._findings.append(Finding("settle", told))
                return None
            time.sleep(0.2)
        return height

    def _judge(
        self, answers: Answers, ended: float, height: int | None, seen: dict[str, Usage]
    ) -> Report:
        genesis, manifest = self._stage.genesis, self._manifest
        expect, council = manifest.expect, self._council
        shown = self._epochs()
        epochs = next(iter(shown.values()))
        ledgers, accusations = self._ledgers(height), self._accusations()
        resumed = checks.resumptions(self._faults, answers.acknowledged)
        silence = checks.longest_silence(answers.acknowledged, began=self._began, ended=ended)
        findings = [
            *self._findings,
            *council.findings,
            *checks.all_show(shown),
            *checks.as_decided(
                epochs,
                manifest.seats_at_end.members,
                changes=len(manifest.committee_events),
                roles=self._roles(),
            ),
            *self._expulsions(ledgers, epochs),
            *checks.no_fork(ledgers),
            *(found for ledger in ledgers for found in checks.well_formed(ledger, genesis, epochs)),
            *checks.certified(ledgers, chain_id(genesis), epochs),
            *checks.nothing_lost(ledgers, answers.acknowledged),
            *checks.kept_busy(answers.acknowledged),
            *checks.timely(
                ledgers[0],
                answers.acknowledged,
                skew_ms_max=genesis.limits.time_skew_ms_max,
                wall_offset_s=time.time() - time.monotonic(),
            ),
            *checks.none_failed(answers.failed),
            *checks.in_time(resumed, expect.resume_s),
            *checks.silent_at_most(silence, expect.silence_s, began=self._began),
            *checks.justly_accused(
                accusations,
                epochs,
                liars=manifest.liars,
                expected=expect.accused,
                holders_min=genesis.validators.fault_bound + 1,
            ),
        ]
        return Report(
            title=manifest.title,
            began=self._began,
            seconds=ended - self._began,
            nodes=len(self._stage.running),
            height=max(len(ledger.blocks) for ledger in ledgers),
            answers=answers,
            resumed=tuple(resumed),
            silence=silence,
            views=max(checks.views(ledger) for ledger in ledgers),
            changes=tuple(council.made),
            accused=council.accused,
            accusations=Counter(accusation.holder for accusation in accusations),
            usage=seen,
            findings=tuple(findings),
        )

    def _epochs(self) -> dict[str, Epochs]:
        """What each honest node proves of the committees."""
        shown = {}
        for name in self._honest:
            try:
                shown[name] = self._stage.epochs(name)
            except (ClientError, CertificateInvalid) as error:
                self._findings.append(Finding("committee", f"{name}: {error}"))
        assert shown, "no node shows its committees"
        return shown

    def _roles(self) -> dict[str, bool]:
        found = [self._stage.status_of(name) for name in self._honest]
        return {status.name: not status.is_observer for status in found if status is not None}

    def _ledgers(self, height: int | None) -> list[Ledger]:
        """Of all honest nodes; one that does not show its blocks is a finding of its own."""
        ledgers = [ledger for name in self._honest if (ledger := self._ledger(name, height))]
        assert ledgers, "no node shows its blocks"
        return ledgers

    def _ledger(self, name: str, height: int | None) -> Ledger | None:
        apis = {node.name: node.api for node in self._stage.plan.nodes}
        try:
            with NodeClient(apis[name], caller=self._stage.caller) as client:
                return checks.fetch(name, client, height)
        except ClientError as error:
            self._findings.append(Finding("ledger", f"{name}: {error}"))
            return None

    def _expulsions(self, ledgers: list[Ledger], epochs: Epochs) -> Iterator[Finding]:
        """Of honest nodes, by their own ledgers; of all, by whom the others are linked with."""
        linked: dict[str, list[str]] = {name: [] for name in self._council.seats.expelled}
        for name in self._honest:
            status = self._stage.status_of(name)
            for peer in status.peers if status is not None else ():
                if peer.connected and peer.name in linked:
                    linked[peer.name].append(name)
        for name, links in sorted(linked.items()):
            shown = Ledger(name, ())
            if name not in self._manifest.liars:
                shown = self._ledger(name, None) or shown
            last = max(
                (epochs.last_of(epoch) or 0)
                for epoch in epochs.all
                if name in (member.name for member in epoch.validators.validators)
            )
            yield from checks.cut_off(shown, ledgers, links, grace=last + EXPELLED_GRACE)

    def _accusations(self) -> list[Accusation]:
        return [
            Accusation(name, path.read_bytes())
            for name in self._honest
            for path in self._stage.accusations(name)
        ]


class Sampler:
    """Looks at the processes once a second; restarts included."""

    def __init__(self, root: Path) -> None:
        self.seen: dict[str, Usage] = {}
        self._root = root
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            for name, pid in supervisor.process_pids(self._root).items():
                try:
                    found = usage({name: pid})[name]
                except psutil.Error:
                    continue  # it ended meanwhile
                one = self.seen.setdefault(name, Usage())
                one.lives[pid] = found.cpu_s
                one.anonymous_max = max(one.anonymous_max, found.anonymous)
                one.resident_max = max(one.resident_max, found.resident)


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="of a manifest, without .toml")
    parser.add_argument("--times", type=int, default=0, help="at most so many of each event")
    parser.add_argument("--folder", type=Path, help="an empty one for the network; it is kept")
    asked = parser.parse_args()
    try:
        manifest = load(asked.name)
        if asked.times:
            manifest = shortened(manifest, times=asked.times)
        folder = asked.folder or Path(tempfile.mkdtemp(prefix="e2e-"))
        report = run(manifest, folder / "net")
    except (ManifestInvalid, NotAllowed) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    print(report.text())
    print(f"  logs in {folder}")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
