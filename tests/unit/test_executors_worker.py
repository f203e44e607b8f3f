"""The executor's daemon against the real contracts on an in-memory chain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contracts.system import preapproval
from executors import follow, speaker, worker
from executors.builtin import installed_image
from executors.cursor import Cursor, CursorFile
from executors.data.registry import Registry
from executors.engine import ASSURANCES, Offer, Report, TaskOrder
from executors.errors import DataSetInvalid, EngineFailed, TaskRefused
from executors.logs import new_log
from executors.worker import PATIENCE_MS, RESCAN_MS, Worker
from ledger.values import Value
from tests.business import CERTIFICATE, SUPPLIERS, Business, changed, digest
from tests.executor_chain import PartyChain, SharedChain

STEPS_MAX = 400
STEP_S = 0.02


@dataclass
class HandEngine:
    """Computes nothing, but holds, runs, fails and gives up like a real engine."""

    party: str
    algorithm: str = "statistics/1"
    output: str = "statistics"
    assurance: str = "none"
    image_digest: bytes = installed_image("statistics/1").digest
    refusal: str = ""
    breakdown: str = ""
    gate: threading.Event = field(default_factory=threading.Event)
    started: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def prepare(self, order: TaskOrder, rank: int) -> HandPrepared:
        assert order.participants[rank].party == self.party
        if self.refusal:
            raise DataSetInvalid(self.refusal)
        return HandPrepared(self, order.task_id)


@dataclass
class HandPrepared:
    engine: HandEngine
    task_id: str

    @property
    def offer(self) -> Offer:
        party = self.engine.party
        return Offer(f"{party}:9700", CERTIFICATE, digest(party + "rows"))

    def run(
        self, order: TaskOrder, *, cancel: threading.Event, progress: Callable[[str], None]
    ) -> Report:
        assert all(participant.endpoint for participant in order.participants)
        self.engine.started.append(order.task_id)
        progress("computing")
        while not self.engine.gate.wait(0.005):
            if cancel.is_set():
                self.engine.cancelled.append(order.task_id)
                raise EngineFailed("cancelled", stage="computing")
        if self.engine.breakdown:
            raise EngineFailed(self.engine.breakdown, stage="computing")
        return Report(digest("program"), digest("t"), digest("o"), b"share", (1, 2), "tested")

    def close(self) -> None:
        self.engine.closed.append(self.task_id)


@dataclass
class Site:
    """One executor with all its parts."""

    worker: Worker
    chain: PartyChain
    engine: HandEngine


class World:
    def __init__(self, root: Path) -> None:
        self.business = Business()
        self.business.granted(uses_max=10)
        self.shared = SharedChain(self.business)
        self.root = root
        self.sites: list[Site] = []

    def site(self, party: str, *, speaks_as: str = "", tasks_max: int = 2) -> Site:
        chain = PartyChain(self.shared, speaks_as or party)
        engine = HandEngine(party)
        home = self.root / party
        home.mkdir(exist_ok=True)
        worker = Worker(
            party=party,
            chain=chain,
            engines={engine.algorithm: engine},
            registry=Registry(home),
            cursor=CursorFile(home / "cursor.json"),
            tasks_max=tasks_max,
            now_ms=self.shared.now_ms,
            log=new_log("error", party=party),
        )
        site = Site(worker, chain, engine)
        self.sites.append(site)
        return site

    def order(self, task_id: str = "t1") -> None:
        self.shared.must("opco", "task", "create", *self.business.order(task_id))

    def until(self, condition: Callable[[], bool]) -> None:
        """Steps all executors in turn until the condition holds."""
        for _ in range(STEPS_MAX):
            if condition():
                return
            for site in self.sites:
                if not site.worker.is_stopping:
                    site.worker.step(STEP_S)
        raise AssertionError("it did not come about")

    def status(self, task_id: str = "t1") -> str:
        return str(self.shared.task(task_id)["status"])

    def reason(self, task_id: str = "t1") -> str:
        return str(self.shared.task(task_id)["reason"])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(speaker, "RETRY_S", (0.001,))
    monkeypatch.setattr(follow, "RETRY_S", (0.001,))
    world = World(tmp_path)
    yield world
    for site in world.sites:
        site.worker.close()


def started(world: World) -> list[Site]:
    sites = [world.site(party) for party in SUPPLIERS]
    for site in sites:
        site.worker.start()
    return sites


def test_three_executors_bring_a_task_to_its_end(world: World) -> None:
    sites = started(world)
    for site in sites:
        site.engine.gate.set()
    world.order()
    world.until(lambda: world.status() == "finished")
    world.until(lambda: not any(site.worker.held for site in sites))
    assert [site.engine.started for site in sites] == [["t1"]] * 3
    assert [site.chain.calls for site in sites] == [["accept", "report"]] * 3
    assert all(site.engine.closed for site in sites)


def test_a_task_created_while_the_executor_was_down_is_taken_up(world: World) -> None:
    world.order()
    sites = started(world)
    for site in sites:
        site.engine.gate.set()
    world.until(lambda: world.status() == "finished")


def test_an_account_of_another_party_is_refused_at_the_start(world: World) -> None:
    site = world.site("health", speaks_as="social")
    with pytest.raises(TaskRefused, match="speaks for 'social'"):
        site.worker.start()


def test_an_account_of_no_party_is_refused_at_the_start(world: World) -> None:
    site = world.site("health", speaks_as="stranger")
    with pytest.raises(TaskRefused, match="register the account"):
        site.worker.start()


def test_a_data_set_that_does_not_fit_fails_the_task_with_the_reason(world: World) -> None:
    site = world.site("health")
    site.engine.refusal = "column claims is text, and the program computes with it"
    site.worker.start()
    world.order()
    world.until(lambda: world.status() == "failed")
    assert world.reason() == f"health: {site.engine.refusal}"
    assert not site.worker.held


def test_an_unknown_algorithm_fails_the_task(world: World) -> None:
    site = world.site("health")
    site.engine.algorithm = "other/1"
    worker = Worker(
        party="health",
        chain=site.chain,
        engines={},
        registry=Registry(world.root),
        cursor=CursorFile(world.root / "c.json"),
        tasks_max=1,
        now_ms=world.shared.now_ms,
        log=new_log("error", party="health"),
    )
    world.sites[0] = Site(worker, site.chain, site.engine)
    worker.start()
    world.order()
    world.until(lambda: world.status() == "failed")
    assert "does not run statistics/1" in world.reason()


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (4, ["model"], "does not allow statistics as output"),
        (11, "sim_process", "asks for sim_process; statistics/1 has none"),
        (11, "hw_tee", "asks for hw_tee; statistics/1 has none"),
    ],
)
def test_an_executor_keeps_to_outputs_and_assurance_that_the_chain_does_not_see(
    place: int, value: Value, reason: str, world: World
) -> None:
    terms = changed(world.business.grant_terms(), place, value)
    world.business.authorize("g2", terms)
    sites = started(world)
    world.shared.must("opco", "task", "create", *world.business.order("t1", "g2"))
    world.until(lambda: world.status() == "failed")
    assert reason in world.reason()
    assert all("accept" not in site.chain.calls for site in sites)


def test_an_engine_with_more_assurance_than_asked_for_takes_the_task(world: World) -> None:
    asked = changed(world.business.grant_terms(), 11, "sim_vtpm")
    world.business.authorize("g2", asked)
    for site in started(world):
        site.engine.assurance = "hw_tee"
    world.shared.must("opco", "task", "create", *world.business.order("t1", "g2"))
    world.until(lambda: world.status() == "running")


def test_executors_know_the_assurances_of_the_contract() -> None:
    assert ASSURANCES == preapproval.ASSURANCES


def test_an_engine_that_was_not_approved_takes_no_task(world: World) -> None:
    site = started(world)[0]
    site.engine.image_digest = digest("tampered with")
    world.order()
    world.until(lambda: world.status() == "failed")
    assert digest("tampered with").hex() in world.reason()
    assert "was not approved" in world.reason()
    assert "accept" not in site.chain.calls


def test_a_disabled_algorithm_is_refused_by_executors_too(world: World) -> None:
    started(world)
    world.order()
    world.shared.must("bureau", "algorithm", "disable", "statistics/1", "unsafe")
    world.until(lambda: world.status() == "failed")
    assert "statistics/1 is disabled" in world.reason()


def test_a_broken_computation_fails_the_task_and_stops_the_others(world: World) -> None:
    sites = started(world)
    world.order()
    world.until(lambda: all(site.engine.started for site in sites))
    sites[0].engine.breakdown = "another party fell silent"
    sites[0].engine.gate.set()
    world.until(lambda: world.status() == "failed")
    assert world.reason() == "health: another party fell silent (stage: computing)"
    world.until(lambda: not any(site.worker.held for site in sites))
    assert [site.engine.cancelled for site in sites] == [[], ["t1"], ["t1"]]
    assert all("report" not in site.chain.calls for site in sites)


def test_a_revoked_grant_stops_what_runs_under_it(world: World) -> None:
    sites = started(world)
    world.order()
    world.until(lambda: all(site.engine.started for site in sites))
    world.shared.must("bureau", "grant", "revoke", "g1", "complaint")
    world.until(lambda: not any(site.worker.held for site in sites))
    assert world.status() == "cancelled"
    assert all(site.engine.cancelled == ["t1"] for site in sites)
    assert all("fail" not in site.chain.calls for site in sites)


def suspend_grant(world: World) -> None:
    words: list[Value] = ["i1", "Leak", "development", "critical", "opco", []]
    world.shared.must("bureau", "incident", "open", *words)
    world.shared.must("bureau", "incident", "suspend_grant", "i1", "g1", "leak")


def disable_algorithm(world: World) -> None:
    world.shared.must("bureau", "algorithm", "disable", "statistics/1", "it leaks")


STOPS = pytest.mark.parametrize(
    ("stop", "code"),
    [(suspend_grant, "grant.on_hold"), (disable_algorithm, "algorithm.disabled")],
)


@STOPS
def test_what_is_taken_out_of_use_goes_on_at_no_executor(
    world: World, stop: Callable[[World], None], code: str
) -> None:
    sites = started(world)
    world.order()
    world.until(lambda: all(site.engine.started for site in sites))
    stop(world)
    world.business.pass_time(RESCAN_MS + 1)
    world.until(lambda: not any(site.worker.held for site in sites))
    assert all(site.engine.cancelled == ["t1"] for site in sites)
    assert world.status() == "failed"
    assert f"it may not go on: {code}" in world.reason()
    assert all("report" not in site.chain.calls for site in sites)


@STOPS
def test_what_was_taken_out_of_use_since_it_was_accepted_does_not_begin(
    world: World, stop: Callable[[World], None], code: str
) -> None:
    sites = [world.site(party, tasks_max=1) for party in SUPPLIERS]
    for site in sites:
        site.worker.start()
    world.order("t1")
    world.until(lambda: all(site.engine.started for site in sites))
    world.order("t2")
    world.until(lambda: world.status("t2") == "running")
    for site in sites:
        site.engine.breakdown = "out of memory"
    stop(world)
    for site in sites:
        site.engine.gate.set()
    world.until(lambda: not any(site.worker.held for site in sites))
    assert all(site.engine.started == ["t1"] for site in sites)
    assert f"it may not go on: {code}" in world.reason("t2")


def test_a_restarted_executor_fails_what_it_had_accepted(world: World) -> None:
    site = world.site("health")
    site.worker.start()
    world.order()
    world.until(lambda: "t1" in site.worker.held)
    site.worker.close()
    again = world.site("health")
    again.worker.start()
    world.until(lambda: world.status() == "failed")
    assert "executor restarted" in world.reason()


def test_an_accepted_call_whose_answer_was_lost_is_not_accepted_twice(world: World) -> None:
    sites = started(world)
    for site in sites:
        site.engine.gate.set()
    sites[1].chain.lost_answers = 1
    world.order()
    world.until(lambda: world.status() == "finished")
    assert sites[1].chain.calls == ["accept", "accept", "report"]


def test_a_report_whose_answer_was_lost_counts_once(world: World) -> None:
    sites = started(world)
    world.order()
    world.until(lambda: all(site.engine.started for site in sites))
    sites[2].chain.lost_answers = 1
    for site in sites:
        site.engine.gate.set()
    world.until(lambda: world.status() == "finished")
    world.until(lambda: not sites[2].worker.held)
    assert sites[2].chain.calls == ["accept", "report", "report"]


def test_a_node_that_is_away_is_asked_again(world: World) -> None:
    sites = started(world)
    for site in sites:
        site.chain.away = 5
        site.engine.gate.set()
    world.order()
    world.until(lambda: world.status() == "finished")


def test_a_task_that_nobody_else_accepts_expires(world: World) -> None:
    site = world.site("health")
    site.worker.start()
    world.order()
    world.until(lambda: "t1" in site.worker.held)
    world.business.pass_time(3 * 3_600_000)
    world.until(lambda: not site.worker.held)
    assert world.status() == "expired"
    assert site.engine.closed == ["t1"]


def test_tasks_that_nobody_else_accepts_do_not_keep_younger_ones_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PAGE", 3)
    site = world.site("health")
    site.worker.start()
    for number in range(4):
        world.order(f"t{number}")
    world.until(lambda: len(site.worker.held) == 3)
    world.business.pass_time(PATIENCE_MS - 60_000)
    for _ in range(5):
        site.worker.step(STEP_S)
    assert site.worker.held == {"t0", "t1", "t2"}
    world.business.pass_time(60_000)
    world.until(lambda: site.worker.held == {"t3"})
    assert [world.status(f"t{number}") for number in range(4)] == ["failed"] * 3 + ["created"]
    assert "not accepted by all in 10 minutes" in world.reason("t0")
    world.business.pass_time(PATIENCE_MS + 1)  # nothing waits behind it: it may wait on
    for _ in range(5):
        site.worker.step(STEP_S)
    assert site.worker.held == {"t3"}


def test_tasks_start_in_the_order_in_which_the_chain_made_them_ready(world: World) -> None:
    sites = [world.site(party, tasks_max=1) for party in SUPPLIERS]
    for site in sites:
        site.worker.start()
    for number in range(4):
        world.order(f"t{number}")
    world.until(lambda: all(site.engine.started for site in sites))
    for site in sites:
        site.engine.gate.set()
    world.until(lambda: all(world.status(f"t{n}") == "finished" for n in range(4)))
    orders = {tuple(site.engine.started) for site in sites}
    assert len(orders) == 1


def test_the_cursor_survives_a_restart(world: World, tmp_path: Path) -> None:
    site = world.site("health")
    site.worker.start()
    world.order()
    world.until(lambda: "t1" in site.worker.held)
    site.worker.close()
    again = world.site("health")
    again.worker.start()
    world.until(lambda: bool(again.chain.followed_from))
    assert again.chain.followed_from[0] > (0, 0)


def test_a_damaged_cursor_means_starting_over(tmp_path: Path) -> None:
    file = CursorFile(tmp_path / "cursor.json")
    assert file.load() == Cursor(0, 0)
    file.save(Cursor(7, 2))
    assert file.load() == Cursor(7, 2)
    file.path.write_bytes(b"{")
    assert file.load() == Cursor(0, 0)


def test_uses_of_a_data_set_are_recorded(world: World, tmp_path: Path) -> None:
    from executors.data.uses import read_uses

    home = tmp_path / "health"
    home.mkdir()
    source = tmp_path / "rows.csv"
    source.write_text("a\n1\n", encoding="utf-8")
    Registry(home).add("health-claims", source, types={}, now_ms=1)
    sites = started(world)
    for site in sites:
        site.engine.gate.set()
    world.order()
    world.until(lambda: world.status() == "finished")
    world.until(lambda: not sites[0].worker.held)
    uses = list(read_uses(Registry(home).folder("health-claims")))
    assert [(use.task_id, use.state) for use in uses] == [
        ("t1", "accepted"),
        ("t1", "computing"),
        ("t1", "finished"),
    ]
