"""Random acts on algorithms, jobs and tasks, against a plain model of who may do what, and when.

After every act the chain must say what the model says (`tests/work_model.py`, written from
docs/development.md); no record may skip a state, and nobody may ever do what is another's to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger.values import Value
from tests.book_world import RecordedBusiness
from tests.business import (
    ALGORITHM,
    HOUR_MS,
    acceptance,
    changed,
    digest,
    result,
    step,
)
from tests.pinned import run_pinned
from tests.work_model import (
    ACTORS,
    JOB_DONE,
    JOB_OPEN,
    MANAGERS,
    NEXT,
    OPERATOR,
    SUPPLIERS,
    TASK_OPEN,
    Algorithm,
    Job,
    Model,
    Step,
    Task,
)

OTHER = "scores/1"
USES_MAX = 80
TEXTS = ("one", "two", "three")


class WorkMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not. `done` counts what was allowed and what was refused."""

    done: ClassVar[Counter[tuple[str, str, bool]]] = Counter()

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        """Hypothesis chooses the seed by which all is drawn evenly; see test_oversight_model."""
        self.chance = Random(seed)
        self.business = RecordedBusiness()
        self.business.publisher()
        demand = self.business.approved()
        terms = self.business.grant_terms(demand, USES_MAX, 24 * 30)
        self.business.authorize("g1", changed(terms, 3, [ALGORITHM, OTHER]))
        about: list[Value] = ["Leak", "development", "critical", "opco", []]
        self.business.do("bureau", "incident", "open", "i1", *about)
        self.model = Model({ALGORITHM: Algorithm("approved", current="genesis")}, USES_MAX)
        self.seen: dict[tuple[str, str], str] = {}

    @property
    def now_ms(self) -> int:
        """Of the block in which the next act is made."""
        return self.business.now_ms + 1

    def act(self, expected: bool, who: str, contract: str, method: str, *args: Value) -> bool:
        receipt = self.business.act(who, contract, method, *args)
        assert receipt.status in (Code.ok, Code.refused), (receipt.error, receipt.detail)
        found = (contract, method, who, args, receipt.detail)
        assert (receipt.status == Code.ok) is expected, found
        self.done[contract, method, expected] += 1
        return expected

    def actor(self, may: Callable[[str], bool]) -> str:
        """Mostly one who may, if there is one."""
        good = [who for who in ACTORS if may(who)]
        return self.chance.choice(good if good and self.chance.random() < 0.75 else ACTORS)

    def pick(self, names: list[str], is_ripe: Callable[[str], bool]) -> str:
        """Mostly one that is ripe for the act, if there is one; often "" if there is none."""
        ripe = [name for name in names if is_ripe(name)]
        if ripe and self.chance.random() < 0.9:  # the oldest is followed to its end
            return ripe[0] if self.chance.random() < 0.6 else self.chance.choice(ripe)
        if not ripe and self.chance.random() < 0.7:
            return ""
        return self.chance.choice(names) if names else ""

    def moment(self, hours: int) -> int:
        return self.business.now_ms + self.chance.randint(1, hours) * HOUR_MS

    # --- algorithms -----------------------------------------------------------------------------

    def propose(self) -> None:
        who = self.actor(lambda who: who == "chipworks")
        expected = who == "chipworks" and OTHER not in self.model.algorithms
        if self.act(expected, who, "algorithm", "propose", *self.business.description()):
            self.model.algorithms[OTHER] = Algorithm("proposed", waiting="image")

    def rebuild(self) -> None:
        model, text = self.model, self.chance.choice(TEXTS)
        who = self.actor(lambda who: model.may_rebuild(who, OTHER, text))
        expected = model.may_rebuild(who, OTHER, text)
        words = [OTHER, *self.business.image(text=text)]
        if self.act(expected, who, "algorithm", "rebuild", *words):
            model.do_rebuild(OTHER, text)

    def review(self) -> None:
        model, passed = self.model, self.chance.random() < 0.7
        one = model.algorithms.get(OTHER)
        text = one.waiting if one and self.chance.random() < 0.9 else "another"
        who = self.actor(lambda who: model.may_review(who, OTHER, text))
        expected = model.may_review(who, OTHER, text)
        if self.act(expected, who, "algorithm", "review", OTHER, digest(text), passed, ""):
            model.do_review(OTHER, passed)

    def disable(self) -> None:
        """Of the built-in one rarely: nothing runs without it."""
        name = ALGORITHM if self.chance.random() < 0.05 else OTHER
        if name == OTHER and self.chance.random() < 0.6:
            return
        who = self.actor(lambda who: self.model.may_disable(who, name))
        if self.act(self.model.may_disable(who, name), who, "algorithm", "disable", name, "why"):
            self.model.do_disable(name)

    def suspend(self) -> None:
        name = ALGORITHM if self.chance.random() < 0.3 else OTHER
        one = self.model.algorithms.get(name)
        is_ripe = one is not None and one.status in ("approved", "suspended")
        is_ripe = is_ripe and len(self.model.measures) < 32
        who = self.actor(lambda who: who in MANAGERS)
        words = ["i1", name, "it leaks"]
        if self.act(is_ripe and who in MANAGERS, who, "incident", "suspend_algorithm", *words):
            self.model.algorithms[name].status = "suspended"
            self.model.measures.append((name, True))

    def lift(self) -> None:
        held = [number for number, (_name, active) in enumerate(self.model.measures) if active]
        if not held:
            return
        number, who = self.chance.choice(held), self.actor(lambda who: who in MANAGERS)
        if self.act(who in MANAGERS, who, "incident", "lift", "i1", number + 1, "mended"):
            name, _ = self.model.measures[number]
            self.model.measures[number] = name, False
            is_held = (name, True) in self.model.measures  # by another measure
            if self.model.algorithms[name].status == "suspended" and not is_held:
                self.model.algorithms[name].status = "approved"

    # --- jobs -----------------------------------------------------------------------------------

    def plan(self) -> None:
        name, steps = f"j{len(self.model.jobs)}", self.drawn_steps()
        who = self.actor(lambda who: who == OPERATOR)
        priority, deadline_ms = self.chance.randint(0, 9), self.moment(30)
        told = [step(one.name, *one.after, component=one.component) for one in steps]
        expected = self.model.may_plan(who, steps)
        words: list[Value] = [name, "Claims", "g1", priority, deadline_ms, told]
        if self.act(expected, who, "job", "create", *words):
            named = {one.name: one for one in steps}
            self.model.jobs[name] = Job(priority, deadline_ms, named)

    def drawn_steps(self) -> list[Step]:
        steps: list[Step] = []
        for name in ("a", "b", "c")[: self.chance.choice((1, 1, 2, 3))]:
            after = tuple(one.name for one in steps if self.chance.random() < 0.5)
            component = OTHER if self.chance.random() < 0.1 else ALGORITHM
            steps.append(Step(name, component, after))
        return steps

    def job_in(self, *statuses: str) -> str:
        return self.pick([*self.model.jobs], lambda name: self.model.jobs[name].status in statuses)

    def confirm(self) -> None:
        if not (name := self.job_in("created")):
            return
        who = self.actor(lambda who: self.model.may_confirm(who, name, self.now_ms))
        is_right = self.chance.random() < 0.95
        told = self.business.job(name)["digest"] if is_right else digest("another plan")
        expected = is_right and self.model.may_confirm(who, name, self.now_ms)
        if self.act(expected, who, "job", "confirm", name, told):
            self.model.do_confirm(who, name)

    def dispatch(self) -> None:
        queued = self.model.queue()[:1]
        name = queued[0] if queued and self.chance.random() < 0.8 else self.job_in("queued")
        if not name:
            return
        who = self.actor(lambda who: who == OPERATOR)
        if self.act(self.model.may_dispatch(who, name, self.now_ms), who, "job", "dispatch", name):
            self.model.jobs[name].status = "dispatched"

    def finish(self) -> None:
        names = [*self.model.jobs]
        if not (name := self.pick(names, lambda one: self.model.may_finish(OPERATOR, one))):
            return
        who, text = self.actor(lambda who: who == OPERATOR), self.chance.choice(TEXTS)
        if self.act(self.model.may_finish(who, name), who, "job", "finish", name, digest(text)):
            self.model.jobs[name].status, self.model.jobs[name].result = "result", text

    def verify(self) -> None:
        if not (name := self.job_in("result")):
            return
        agreed = self.chance.random() < 0.6
        text = self.model.jobs[name].result if self.chance.random() < 0.8 else "torn"
        who = self.actor(lambda who: self.model.may_verify(who, name, text, agreed))
        expected = self.model.may_verify(who, name, text, agreed)
        if self.act(expected, who, "job", "verify", name, digest(text), agreed, "as seen"):
            self.model.jobs[name].status = "verified" if agreed else "disputed"

    def close(self) -> None:
        if not (name := self.job_in("verified", "verified", "disputed", "result")):
            return
        who = self.actor(lambda who: self.model.may_close(who, name))
        if self.chance.random() < 0.5 and who in MANAGERS:
            return  # they decide seldom, so that results are verified, too
        if self.act(self.model.may_close(who, name), who, "job", "close", name, ""):
            self.model.jobs[name].status = "closed"

    def end_job(self) -> None:
        act, status = self.chance.choice(
            (("abandon", "failed"), ("cancel", "cancelled"), ("expire", "timed_out"))
        )
        names = [*self.model.jobs]
        late = [n for n in names if self.now_ms >= self.model.jobs[n].deadline_ms]
        name = self.pick(
            late if act == "expire" and late else names,
            lambda one: self.model.jobs[one].status in JOB_OPEN,
        )
        if not name or (act != "expire" and self.chance.random() < 0.7):
            return
        who = self.actor(lambda who: self.model.may_end(who, name, act, self.now_ms))
        expected = self.model.may_end(who, name, act, self.now_ms)
        words: list[Value] = [name] if act == "expire" else [name, "why"]
        if self.act(expected, who, "job", act, *words):
            self.model.do_end(name, status)

    def revoke(self) -> None:
        who = self.chance.choice(ACTORS)
        if who in MANAGERS and self.chance.random() < 0.85:
            return  # seldom: nothing goes on afterwards
        expected = who in MANAGERS and self.model.grant == "active"
        if self.act(expected, who, "grant", "revoke", "g1", "misuse"):
            self.model.do_revoke()

    # --- tasks ----------------------------------------------------------------------------------

    def order(self) -> None:
        model, name = self.model, f"t{len(self.model.tasks)}"
        job, wanted, component = "", "", ALGORITHM
        if model.jobs and self.chance.random() < 0.8:
            job = self.job_in("dispatched", "running")
        if not job and self.chance.random() < 0.6:
            return
        if job:
            steps = [*model.jobs[job].steps.values()]
            ripe = [one for one in steps if one.status in ("waiting", "ended")]
            chosen = self.chance.choice(ripe if ripe and self.chance.random() < 0.8 else steps)
            wanted, component = chosen.name, chosen.component
        if self.chance.random() < 0.05:
            component, wanted = OTHER, "z" if job else ""
        deadline_ms = self.moment(9)
        if job and self.chance.random() < 0.8:
            deadline_ms = min(deadline_ms, model.jobs[job].deadline_ms)
        task = Task(component, deadline_ms, job, wanted)
        who = self.actor(lambda who: who == OPERATOR)
        words = changed(changed(self.business.order(name), 2, component), 6, deadline_ms)
        words = [*words[:7], job, wanted]
        if self.act(model.may_order(who, task, self.now_ms), who, "task", "create", *words):
            model.do_order(name, task)

    def task_for(self, act: str) -> str:
        """One that some supplier may accept or report now, mostly."""

        def is_ripe(name: str) -> bool:
            return any(self.model.may_go_on(who, name, act, self.now_ms) for who in SUPPLIERS)

        names = sorted(self.model.tasks, key=lambda name: self.model.tasks[name].job == "")
        return self.pick(names, is_ripe)

    def accept(self) -> None:
        if not (name := self.task_for("accept")):
            return
        who = self.actor(lambda who: self.model.may_go_on(who, name, "accept", self.now_ms))
        expected = self.model.may_go_on(who, name, "accept", self.now_ms)
        supplier = who if who in SUPPLIERS else "health"
        words = [name, *acceptance(supplier, name)[1:]]
        if self.act(expected, who, "task", "accept", *words):
            self.model.do_accept(who, name)

    def report(self) -> None:
        if not (name := self.task_for("report")):
            return
        who = self.actor(lambda who: self.model.may_go_on(who, name, "report", self.now_ms))
        expected = self.model.may_go_on(who, name, "report", self.now_ms)
        program = "compiled" if self.chance.random() < 0.98 else "another"
        if self.act(expected, who, "task", "report", *result(who, name, program)):
            self.model.do_report(who, name, program)

    def stop_task(self) -> None:
        act, status = self.chance.choice(
            (("fail", "failed"), ("cancel", "cancelled"), ("expire", "expired"))
        )
        names = [*self.model.tasks]
        late = [n for n in names if self.now_ms >= self.model.tasks[n].deadline_ms]
        name = self.pick(
            late if act == "expire" and late else names,
            lambda one: self.model.tasks[one].status in TASK_OPEN,
        )
        if not name or (act != "expire" and self.chance.random() < 0.7):
            return
        who = self.actor(lambda who: self.model.may_stop(who, name, act, self.now_ms))
        expected = self.model.may_stop(who, name, act, self.now_ms)
        words: list[Value] = [name, "no room"] if act == "fail" else [name]
        if self.act(expected, who, "task", act, *words):
            self.model.do_stop(name, status)

    def wait(self) -> None:
        if self.chance.random() < 0.25:
            self.business.pass_time(self.chance.choice((1, 1, 2, 8)) * HOUR_MS)

    @rule()
    def story(self) -> None:
        """Hypothesis leaves out most rules in most runs; stories need all of them."""
        acts = (self.propose, self.rebuild, self.review, self.disable, self.suspend, self.plan,
                self.end_job, self.revoke, self.stop_task, self.wait, *[self.lift] * 3,
                *[self.dispatch] * 3, *[self.finish] * 3, *[self.verify] * 3, *[self.close] * 3,
                *[self.confirm] * 9, *[self.order] * 5, *[self.accept] * 9,
                *[self.report] * 12)  # fmt: skip
        for _ in range(10):
            self.chance.choice(acts)()
            self.the_records_are_those_of_the_model()

    # --- what must hold ---------------------------------------------------------------------------

    def same(self, kind: str, name: str, told: Value, expected: str) -> None:
        """The chain and the model agree, and the record came there by one step at a time."""
        assert told == expected, (kind, name)
        steps = NEXT[kind]
        before = self.seen.get((kind, name), next(iter(steps)))
        assert expected == before or expected in steps.get(before, ()), (kind, name, before)
        self.seen[kind, name] = expected

    @invariant()
    def the_records_are_those_of_the_model(self) -> None:
        model, business = self.model, self.business
        for name, one in model.algorithms.items():
            if name == OTHER:
                told = business.ask_record("bank", "algorithm", "show", name)["status"]
                self.same("algorithm", name, told, one.status)
        for name, job in model.jobs.items():
            if job.status in JOB_DONE and self.seen.get(("job", name)) == job.status:
                continue  # nothing leaves these but `verified`, which the act itself would show
            file = business.ask_record("bureau", "job", "show", name)
            shown, progress = file["job"], file["progress"]
            assert isinstance(shown, dict) and isinstance(progress, list)
            self.same("job", name, shown["status"], job.status)
            assert shown["confirmed"] == len(job.confirmed)
            for state, planned in zip(progress, job.steps.values(), strict=True):
                assert isinstance(state, dict) and state["attempts"] == planned.attempts
                self.same("step", f"{name}/{planned.name}", state["status"], planned.status)
        for name, task in model.tasks.items():
            if task.status in TASK_OPEN or self.seen.get(("task", name)) in (None, *TASK_OPEN):
                outcome = business.ask_record("bureau", "task", "outcome", name)
                self.same("task", name, outcome["status"], task.status)

    @invariant()
    def queues_hold_what_is_open_in_its_order(self) -> None:
        rows = self.business.ask("bureau", "job", "queue", OPERATOR, 0, 100)
        assert isinstance(rows, list)
        assert [row["id"] for row in rows if isinstance(row, dict)] == self.model.queue()
        rows = self.business.ask("bureau", "task", "open_for", "health", 0, 100)
        assert isinstance(rows, list)
        wanted = [name for name, task in self.model.tasks.items() if task.status in TASK_OPEN]
        assert [row["id"] for row in rows if isinstance(row, dict)] == wanted
        uses = self.business.ask_record("bureau", "grant", "show", "g1")["uses"]
        assert uses == self.model.uses

    def teardown(self) -> None:
        """What an auditor works out from the acts alone is the same."""
        if not hasattr(self, "seen"):
            return
        books = self.business.books()
        assert books.faults.found == []
        told = {name: job.status for name, job in books.jobs.found.items()}
        assert told == {name: job.status for name, job in self.model.jobs.items()}


@pytest.mark.slow
def test_algorithms_jobs_and_tasks_do_what_the_model_says() -> None:
    """Every step must have been allowed and refused often enough for this to mean anything; so the
    draws are the same each time."""
    WorkMachine.done.clear()
    run_pinned(WorkMachine, examples=80, steps=40)
    done = WorkMachine.done
    methods = {(contract, method) for contract, method, _ in done}
    for contract, method in methods:
        assert done[contract, method, True] and done[contract, method, False], (contract, method)
    assert len(methods) == 22, sorted(methods)
