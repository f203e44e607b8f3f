"""Random acts on the contracts of oversight, against a plain model of who may do what, and when.

After every act the chain must say what the model says (`tests/oversight_model.py`, written from
section 8.6.1 and docs/oversight.md); no record may skip a state, and no party may ever act on a
matter of its own that is its supervisor's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import ClassVar, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.vm.codes import Code
from ledger.values import Value
from tests.business import HOUR_MS, Business, dataset_of, digest
from tests.oversight_model import (
    NEXT,
    ROLES,
    SEVERITIES,
    STAGES,
    STAGES_OF,
    Alert,
    Engagement,
    Evaluation,
    Incident,
    Inquiry,
    Measure,
    Model,
)
from tests.pinned import run_pinned

NAMES = sorted(ROLES)
DAY_MS, CHECK, FALLEN = 24 * HOUR_MS, "quality_fallen", dataset_of("health")
FINDERS = {"opco": 970_000, "bureau": 800_000}  # of good rows, then of bad ones
T = TypeVar("T")
rank = SEVERITIES.index


def at(records: list[T], number: int) -> T | None:
    return records[number] if number < len(records) else None


class OversightMachine(RuleBasedStateMachine):
    """Acts of anybody, wise or not. `done` counts what was allowed and what was refused."""

    done: ClassVar[Counter[tuple[str, str, bool]]] = Counter()

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        """Hypothesis chooses what is done, and the seed by which who and on what is drawn evenly:
        by itself it loves small numbers and repeats, and hardly ever draws who may act."""
        self.chance = Random(seed)
        self.business = Business()
        self.business.granted(hours=24 * 366)
        self.model = Model()
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

    def actor(self, may: Callable[[str], bool]) -> tuple[str, bool]:
        """Who acts, and whether that party may, whatever state its matter is in: mostly one that
        may, if there is one. So right people often come at the wrong time, too."""
        good = [name for name in NAMES if may(name)]
        who = self.chance.choice(good if good and self.chance.random() < 0.7 else NAMES)
        return who, who in good

    def pick(self, records: list[T], is_ripe: Callable[[T], bool]) -> int:
        """The number of a record: mostly of one that is ripe for the act, rarely of none."""
        ripe = [number for number, one in enumerate(records) if is_ripe(one)]
        if ripe and self.chance.random() < 0.8:
            return self.chance.choice(ripe)
        return self.chance.randrange(len(records) + 1)

    def step(self, wanted: dict[str, str], statuses: list[str]) -> str:
        """What is done next: mostly a step for which a record is in the status that it wants."""
        useful = [step for step, status in wanted.items() if status in statuses]
        is_wise = len(useful) > 0 and self.chance.random() < 0.8
        return self.chance.choice(useful if is_wise else list(wanted))

    # --- engagements ------------------------------------------------------------------------------

    @rule()
    def select(self) -> None:
        model = self.model
        party = self.chance.choice([*NAMES, "chipworks", "devhouse", "chipworks", "devhouse"])

        def may(who: str) -> bool:
            return (
                ROLES[who] == "operator"
                and who not in model.suspended
                and ROLES[party] in ("tech_provider", "developer")
                and not any(
                    (one.operator, one.party) == (who, party)
                    and one.status in ("selected", "approved")
                    for one in model.engagements
                )
            )

        who, expected = self.actor(may)
        name = f"x{len(model.engagements)}"
        if self.act(expected, who, "oversight", "select", name, party, ""):
            model.engagements.append(Engagement(who, party))

    @rule()
    def review(self) -> None:
        number = self.pick(self.model.engagements, lambda one: one.status == "selected")
        known = at(self.model.engagements, number)
        who, may = self.actor(self.model.is_manager)
        expected = may and known is not None and known.status == "selected"
        passed = self.chance.random() < 0.8
        if self.act(expected, who, "oversight", "review", f"x{number}", passed, "why") and known:
            known.status = "approved" if passed else "refused"

    @rule()
    def end(self) -> None:
        if self.chance.random() < 0.6:
            return  # else few engagements live long enough to matter
        number = self.pick(self.model.engagements, lambda one: one.status == "approved")
        known = at(self.model.engagements, number)

        def may(who: str) -> bool:
            if known is None:
                return False
            is_operator = who == known.operator and who not in self.model.suspended
            return is_operator or self.model.is_manager(who)

        who, expected = self.actor(may)
        expected = expected and known is not None and known.status in ("selected", "approved")
        if self.act(expected, who, "oversight", "end", f"x{number}", "over") and known:
            known.status = "ended"

    # --- alerts -----------------------------------------------------------------------------------

    @rule()
    def report(self) -> None:
        topic, party = self.chance.choice(["disk", "odd"]), self.chance.choice(NAMES)
        stages = STAGES_OF[ROLES[party]] if self.chance.random() < 0.7 else STAGES
        stage, severity = self.chance.choice(stages or STAGES), self.chance.choice(SEVERITIES)
        is_watched = stage in STAGES_OF[ROLES[party]]
        who, expected = self.actor(lambda who: is_watched and who not in self.model.suspended)
        known = next(
            (one for one in self.model.alerts
             if (one.topic, one.party, one.reporter) == (topic, party, who)
             and one.status != "closed"), None
        )  # fmt: skip
        if known is not None and self.chance.random() < 0.3:
            self.wait()
        now_ms = self.now_ms
        if known is not None and known.is_quiet(now_ms):
            expected = expected and rank(severity) > rank(known.severity)
        words: list[Value] = [topic, party, stage, severity, "seen", b""]
        if not self.act(expected, who, "alert", "report", *words):
            return
        if known is None:
            self.model.alerts.append(Alert(topic, party, who, stage, severity, now_ms))
        else:
            known.count += 1
            known.last_ms = now_ms
            known.severity = max(known.severity, severity, key=rank)

    @rule()
    def check(self) -> None:
        """Rows of the supplier are worse than they were, and fall anew once that is dealt with."""
        known = next((one for one in reversed(self.model.alerts) if one.topic == CHECK), None)
        if known is None or known.status == "closed":
            if self.model.suspended & set(FINDERS):
                return
            for finder, ppm in FINDERS.items():
                self.business.do(finder, "quality", "measure", FALLEN, [["accuracy", ppm]], b"")
        self.business.pass_time(self.chance.choice([1000, HOUR_MS, DAY_MS]))
        now_ms = self.now_ms
        is_due = known is None or not known.is_quiet(now_ms)
        who, may = self.actor(lambda who: who not in self.model.suspended)
        done = self.act(may and is_due, who, "alert", "check", CHECK, FALLEN)
        if done and (known is None or known.status == "closed"):
            self.model.alerts.append(Alert(CHECK, "health", who, "aggregation", "warning", now_ms))
        elif done and known is not None:
            known.count, known.last_ms = known.count + 1, now_ms

    @rule()
    def answer_alert(self) -> None:
        method = self.chance.choice(["close", "acknowledge"])
        wanted = ("open", "acknowledged") if method == "close" else ("open",)
        number = self.pick(self.model.alerts, lambda one: one.status in wanted)
        known = at(self.model.alerts, number)
        who, expected = self.actor(
            lambda who: known is not None and self.model.supervises(who, known.party, known.stage)
        )
        expected = expected and known is not None and known.status in wanted
        if self.act(expected, who, "alert", method, f"alert-{number + 1}", "done") and known:
            known.status = "closed" if method == "close" else "acknowledged"
            known.closed_ms = self.business.now_ms

    # --- incidents --------------------------------------------------------------------------------

    @rule()
    def open(self) -> None:
        model = self.model
        party = self.chance.choice([*NAMES, "opco", "opco", "chipworks"])
        stage = self.chance.choice(STAGES_OF[ROLES[party]] or STAGES)
        if self.chance.random() < 0.2:
            stage = self.chance.choice(STAGES)

        def may(who: str) -> bool:
            concerned = model.is_own(who, party) or model.supervises(who, party, stage)
            return stage in STAGES_OF[ROLES[party]] and concerned

        who, expected = self.actor(may)
        words: list[Value] = [f"i{len(model.incidents)}", "Leak", stage, "critical", party, []]
        if self.act(expected, who, "incident", "open", *words):
            model.incidents.append(Incident(party, stage))

    @rule()
    def suspend_grant(self) -> None:
        model = self.model
        number = self.pick(model.incidents, lambda one: not one.is_closed)
        known = at(model.incidents, number)

        def may(who: str) -> bool:
            if known is None:
                return False
            concerned = model.is_own(who, known.party)
            concerned = concerned or model.supervises(who, known.party, known.stage)
            return concerned and (model.is_manager(who) or who == "opco")

        who, expected = self.actor(may)
        is_open = known is not None and not known.is_closed
        expected = expected and is_open and model.grant in ("active", "suspended")
        words: list[Value] = [f"i{number}", "g1", "leak"]
        if self.act(expected, who, "incident", "suspend_grant", *words) and known:
            known.measures.append(Measure("suspend_grant", who))
            model.grant = "suspended"
            model.holds.setdefault("g1", []).append(known.measures[-1])

    @rule()
    def cut_party(self) -> None:
        model = self.model
        number = self.pick(model.incidents, lambda one: not one.is_closed and one.party != "opco")
        known = at(model.incidents, number)
        who, expected = self.actor(
            lambda who: known is not None and model.supervises(who, known.party)
        )
        if known is None or known.is_closed:
            expected = False
        elif known.party in model.suspended and known.party not in model.holds:
            expected = False  # by a manager's own hand
        if self.act(expected, who, "incident", "cut_party", f"i{number}", "leak") and known:
            known.measures.append(Measure("cut_party", who))
            model.suspended.add(known.party)
            model.holds.setdefault(known.party, []).append(known.measures[-1])

    @rule()
    def note_freeze(self) -> None:
        number = self.pick(self.model.incidents, lambda one: not one.is_closed)
        known = at(self.model.incidents, number)
        who, expected = self.actor(self.model.is_manager)
        expected = expected and known is not None and not known.is_closed
        words: list[Value] = [f"i{number}", "task", digest("freeze"), "flaw"]
        if self.act(expected, who, "incident", "note_freeze", *words) and known:
            known.measures.append(Measure("freeze_contract", who))

    @rule()
    def decide(self) -> None:
        model = self.model
        method = self.chance.choice(["lift", "lift", "keep"])
        ripe = ("active", "kept") if method == "lift" else ("active",)
        number = self.pick(
            model.incidents, lambda one: any(taken.status in ripe for taken in one.measures)
        )
        known = at(model.incidents, number)
        measures = known.measures if known else []
        index = self.pick(measures, lambda one: one.status in ripe)
        taken = at(measures, index)

        def may(who: str) -> bool:
            is_taker = taken is not None and model.is_own(who, taken.party)
            is_taker = is_taker and taken is not None and taken.status == "active"
            return model.is_manager(who) or (is_taker and method == "lift")

        who, expected = self.actor(may)
        is_open = known is not None and (not known.is_closed or method == "lift")
        expected = expected and is_open and taken is not None and taken.status in ripe
        words: list[Value] = [f"i{number}", index + 1, "why"]
        if self.act(expected, who, "incident", method, *words) and taken and known:
            taken.status = "kept" if method == "keep" else "lifted"
            if taken.status == "lifted":
                model.release("g1" if taken.kind == "suspend_grant" else known.party, taken)

    @rule()
    def close(self) -> None:
        model = self.model
        number = self.pick(model.incidents, lambda one: not one.is_closed and bool(one.measures))
        known = at(model.incidents, number)
        who, expected = self.actor(
            lambda who: known is not None and model.supervises(who, known.party, known.stage)
        )
        measures = known.measures if known else []
        is_open = known is not None and not known.is_closed
        expected = expected and is_open and all(one.status != "active" for one in measures)
        words: list[Value] = [f"i{number}", "mended", digest("report")]
        if self.act(expected, who, "incident", "close", *words) and known:
            known.is_closed = True

    # --- inquiries --------------------------------------------------------------------------------

    @rule()
    def ask(self) -> None:
        model, party, stage = self.model, self.chance.choice(NAMES), self.chance.choice(STAGES)
        due_ms = self.now_ms + HOUR_MS
        words: list[Value] = [f"q{len(model.inquiries)}", party, stage, "logs", "which?", due_ms]
        who, expected = self.actor(lambda who: model.supervises(who, party))
        if self.act(expected, who, "inquiry", "ask", *words):
            model.inquiries.append(Inquiry(who, party))

    @rule()
    def inquire(self) -> None:
        model = self.model
        needs = {"answer": "asked", "send_back": "answered", "conclude": "answered",
                 "withdraw": "asked"}  # fmt: skip
        step = self.step(needs, [one.status for one in model.inquiries])
        words: dict[str, list[Value]] = {
            "answer": ["see", digest("answer")],
            "send_back": ["more", self.now_ms + HOUR_MS],
            "conclude": [True, ""],
            "withdraw": ["mistaken"],
        }
        wanted = needs[step]
        number = self.pick(model.inquiries, lambda one: one.status == wanted)
        known = at(model.inquiries, number)

        def may(who: str) -> bool:
            if known is None or who in model.suspended:
                return False
            if step == "answer" or who == known.party:
                return step == "answer" and who == known.party
            return who == known.asker or model.is_manager(who)

        who, expected = self.actor(may)
        expected = expected and known is not None and known.status == wanted
        if self.act(expected, who, "inquiry", step, f"q{number}", *words[step]) and known:
            known.status = {"answer": "answered", "send_back": "asked",
                            "conclude": "concluded", "withdraw": "withdrawn"}[step]  # fmt: skip

    # --- evaluations ------------------------------------------------------------------------------

    @rule()
    def publish(self) -> None:
        model, party = (
            self.model,
            self.chance.choice(["opco", "opco", "insurer", "devhouse", "board"]),
        )
        who, expected = self.actor(lambda who: model.supervises(who, party))
        ends = [one.end_ms for one in model.evaluations
                if (one.evaluator, one.party) == (who, party)]  # fmt: skip
        overlap = self.chance.choice([0, 0, 1])
        begin, now_ms = max(ends, default=overlap) - overlap, self.now_ms
        expected = expected and (overlap == 0 or not ends) and begin < now_ms
        name, due_ms = f"e{len(model.evaluations)}", now_ms + HOUR_MS
        scores: list[Value] = [["quality", 70]]
        words: list[Value] = [party, begin, now_ms, scores, "passed", digest("r"), "n", due_ms]
        if self.act(expected, who, "evaluation", "publish", name, *words):
            model.evaluations.append(Evaluation(who, party, now_ms))

    @rule()
    def evaluate(self) -> None:
        model, needs = self.model, {"accept": "published", "contest": "published",
                                    "settle": "contested"}  # fmt: skip
        step = self.step(needs, [one.status for one in model.evaluations])
        wanted = needs[step]
        number = self.pick(model.evaluations, lambda one: one.status == wanted)
        known = at(model.evaluations, number)

        def may(who: str) -> bool:
            if known is None or who in model.suspended:
                return False
            if step != "settle":
                return who == known.party
            return who != known.party and (who == known.evaluator or model.is_manager(who))

        who, expected = self.actor(may)
        expected = expected and known is not None and known.status == wanted
        words: list[Value] = ["failed", "why"] if step == "settle" else [step == "accept", "why"]
        method = "settle" if step == "settle" else "answer"
        if self.act(expected, who, "evaluation", method, f"e{number}", *words) and known:
            known.status = "settled" if step == "settle" else f"{step}ed"

    # --- what else happens ------------------------------------------------------------------------

    @rule()
    def suspend_or_readmit(self) -> None:
        suspended, party = self.model.suspended, self.chance.choice(["board", "opco", "chipworks"])
        if party in suspended or self.chance.random() < 0.3:
            method = "readmit" if party in suspended else "suspend"
            self.act(True, "bureau", "parties", method, party, "audit")
            suspended ^= {party}
            self.model.holds.pop(party, None)

    @rule()
    def revoke(self) -> None:
        if self.chance.random() < 0.1:
            self.act(self.model.grant != "revoked", "bureau", "grant", "revoke", "g1", "misuse")
            self.model.grant = "revoked"

    @rule()
    def wait(self) -> None:
        self.business.pass_time(self.chance.choice([1000, HOUR_MS]))

    @rule()
    def go_on(self) -> None:
        """Hypothesis leaves out most rules in most runs; stories need all of them."""
        acts = (self.select, self.review, self.report, self.check, self.answer_alert, self.open,
                self.suspend_grant, self.cut_party, self.note_freeze, self.decide, self.close,
                self.ask, self.inquire, self.inquire, self.inquire, self.inquire, self.publish,
                self.evaluate, self.evaluate)  # fmt: skip
        for _ in range(10):
            self.chance.choice(acts)()
            self.the_records_are_those_of_the_model()
            self.incidents_and_their_measures_are_those_of_the_model()

    # --- what must hold ---------------------------------------------------------------------------

    def same(self, kind: str, name: str, told: Value, expected: str) -> None:
        """The chain and the model agree, and the record came there by one step at a time."""
        assert told == expected, (kind, name)
        before = self.seen.get((kind, name), next(iter(NEXT[kind])))
        assert expected == before or expected in NEXT[kind].get(before, ()), (kind, name, before)
        self.seen[kind, name] = expected

    def shown(self, contract: str, name: str) -> dict[str, Value]:
        return self.business.ask_record("bureau", contract, "show", name)

    @invariant()
    def the_records_are_those_of_the_model(self) -> None:
        model = self.model
        for number, one in enumerate(model.engagements):
            told = self.shown("oversight", f"x{number}")
            self.same("engagement", f"x{number}", told["status"], one.status)
        for number, alert in enumerate(model.alerts):
            told = self.shown("alert", f"alert-{number + 1}")
            assert (told["count"], told["severity"]) == (alert.count, alert.severity)
            self.same("alert", f"{number}", told["status"], alert.status)
        for number, asked in enumerate(model.inquiries):
            told = self.shown("inquiry", f"q{number}")
            self.same("inquiry", f"q{number}", told["status"], asked.status)
        for number, judged in enumerate(model.evaluations):
            told = self.shown("evaluation", f"e{number}")
            self.same("evaluation", f"e{number}", told["status"], judged.status)

    @invariant()
    def incidents_and_their_measures_are_those_of_the_model(self) -> None:
        for number, incident in enumerate(self.model.incidents):
            told = self.shown("incident", f"i{number}")
            record, measures = told["incident"], told["measures"]
            assert isinstance(record, dict) and isinstance(measures, list)
            self.same("incident", f"i{number}", record["status"], incident.status)
            assert record["active"] == sum(one.status == "active" for one in incident.measures)
            assert len(measures) == len(incident.measures)
            for at, (shown, one) in enumerate(zip(measures, incident.measures, strict=True)):
                assert isinstance(shown, dict) and shown["kind"] == one.kind
                self.same("measure", f"i{number}/{at}", shown["status"], one.status)
        count = sum(not incident.is_closed for incident in self.model.incidents)
        assert self.business.ask("bureau", "incident", "count_open") == count

    @invariant()
    def what_measures_do_is_what_the_model_says(self) -> None:
        told = self.business.ask_record("bureau", "grant", "show", "g1")
        assert told["status"] == self.model.grant
        for party in ROLES:
            is_active = self.business.ask("bureau", "parties", "is_active", party)
            assert is_active is (party not in self.model.suspended), party


@pytest.mark.slow
def test_the_contracts_of_oversight_do_what_the_model_says() -> None:
    """Every step must have been allowed and refused often enough for this to mean anything; so the
    draws are the same each time."""
    OversightMachine.done.clear()
    run_pinned(OversightMachine, examples=100, steps=60)
    done = OversightMachine.done
    methods = {(contract, method) for contract, method, _ in done} - {("parties", "suspend")}
    for contract, method in methods - {("parties", "readmit"), ("grant", "revoke")}:
        assert done[contract, method, True] and done[contract, method, False], (contract, method)
    assert len(methods) > 20
