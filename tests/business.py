"""A small consortium on an in-memory chain, for tests of the system contracts.

`Business` deploys the packaged contracts and lets its people act: each method of the form
`filed`, `granted`, `running`, ... takes the way through all earlier steps, so that a test starts
at the step it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

from contracts.bundle import init_args, system_sources
from contracts.vm.codes import Code, ViewRefused
from contracts.vm.testing import Chain, account
from crypto import sm2, sm3
from executors.builtin import built_in
from executors.images import publisher_message
from ledger.genesis import GenesisParty, Limits
from ledger.model import Receipt, Validator, ValidatorSet, address_of
from ledger.values import Value

Fields: TypeAlias = dict[str, Value]

ROLES = ("manager", "operator", "supplier", "consumer", "tech_provider", "developer")

# The one account of each party has the party's id as its name.
PARTIES = {
    "bureau": "manager",
    "board": "manager",
    "opco": "operator",
    "rival": "operator",
    "health": "supplier",
    "social": "supplier",
    "civil": "supplier",
    "archive": "supplier",
    "insurer": "consumer",
    "bank": "consumer",
    "chipworks": "tech_provider",
    "devhouse": "developer",
}
ONE_OF_EACH = ("bureau", "opco", "health", "insurer", "chipworks", "devhouse")
SUPPLIERS = ("health", "social", "civil")
STRANGER = "stranger"  # an account of no party
# The parties that run a validator at the beginning; its name is node-PARTY.
ORGANIZATIONS = ("bureau", "opco", "health", "insurer")

HOUR_MS = 3_600_000
ALGORITHM = "statistics/1"
SCENARIO = "insurance pricing"
# Kinds of output, then what is permitted, prohibited and due.
USAGE: list[Value] = [["statistics"], ["derive"], ["distribute"], ["delete"]]
PROGRAM = b"program in canonical bytes"
RECEIVER_KEY = bytes(range(64))
PUBLISHER = sm3.digest(b"publisher of chipworks")
PUBLISHER_KEY = sm2.public_key(PUBLISHER)
PARAMETERS = (("rounds", "int", "how often"), ("seed", "text", ""))
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
# The arguments of demand.file after the id.
DEMAND: list[Value] = [
    "Claims by plan",
    "claims of insured persons",
    "table by plan",
    "complete years",
    "sealed file",
    "pricing",
    "insurance pricing",
    ["claims"],
    "",
]
SCHEMA: list[Value] = [["age", "integer", "in years"], ["claims", "decimal", "in yuan"]]


def digest(text: str) -> bytes:
    """A digest to put on record: SM3 of `text`."""
    return sm3.digest(text.encode())


def node_private(node: str) -> bytes:
    """The consensus key of a node, alike for equal names."""
    return digest(f"consensus key of {node}")


def node_public(node: str) -> bytes:
    return sm2.public_key(node_private(node))


def peer_of(node: str) -> str:
    """A made-up peer id in base58."""
    return digest(node).hex().replace("0", "z")


def validator(party: str) -> Validator:
    node = f"node-{party}"
    return Validator(node, party, node_public(node), peer_of(node))


def dataset_of(supplier: str) -> str:
    return f"{supplier}-claims"


@cache
def deployed(organizations: tuple[str, ...]) -> tuple[Chain, dict[tuple[str, bytes], bytes], int]:
    """One chain with all contracts compiled; its state and time right after they were deployed."""
    chain = Chain()
    genesis = [
        GenesisParty(id=party, name=party.title(), roles=(role,), accounts=(account(party),))
        for party, role in PARTIES.items()
    ]
    validators = ValidatorSet(tuple(validator(party) for party in organizations))
    algorithms = [("chipworks", algorithm) for algorithm in built_in()]
    args = init_args(genesis, validators=validators, limits=Limits(), algorithms=algorithms)
    for name, source in system_sources():
        receipt = chain.deploy(name, source, args.get(name, []))
        assert receipt.status == Code.ok, (name, receipt.error, receipt.detail)
    return chain, dict(chain.state), chain.time_ms


class Business:
    """The chain and its people. Accounts are named, as in `business.do("opco", ...)`.

    To compile once only, all share one chain, set back to its beginning by each new Business:
    the latest is the one that lives.
    """

    latest: Business | None = None

    def __init__(self, organizations: tuple[str, ...] = ORGANIZATIONS) -> None:
        self.chain, beginning, time_ms = deployed(organizations)
        self.chain.time_ms = time_ms
        self.chain.state.clear()
        self.chain.state.update(beginning)
        self.chain.advance(height=10)  # not the next block: the machine forgets what it cached
        Business.latest = self

    # --- acting and asking ------------------------------------------------------------------

    def act(self, who: str, contract: str, method: str, *args: Value) -> Receipt:
        """The receipt of a call, whatever came of it."""
        assert Business.latest is self, "a later Business took the chain over"
        return self.chain.call(account(who), contract, method, *args)

    def do(self, who: str, contract: str, method: str, *args: Value) -> list[tuple[str, Fields]]:
        """A call that must succeed; its events as (name, fields)."""
        receipt = self.act(who, contract, method, *args)
        assert receipt.status == Code.ok, (contract, method, receipt.error, receipt.detail)
        return self.chain.events(receipt)

    def refused(self, who: str, contract: str, method: str, *args: Value) -> str:
        """The dotted code with which a call must be refused, leaving no event behind."""
        receipt = self.act(who, contract, method, *args)
        assert receipt.status == Code.refused, (contract, method, receipt.error, receipt.detail)
        assert receipt.events == ()
        return code_of(receipt.detail)

    def ask(self, who: str, contract: str, method: str, *args: Value) -> Value:
        assert Business.latest is self, "a later Business took the chain over"
        return self.chain.view(account(who), contract, method, *args)

    def ask_record(self, who: str, contract: str, method: str, *args: Value) -> Fields:
        """A view that answers with one record."""
        answer = self.ask(who, contract, method, *args)
        assert isinstance(answer, dict)
        return {str(name): value for name, value in answer.items()}

    def denied(self, who: str, contract: str, method: str, *args: Value) -> str:
        """The dotted code with which a view must be refused."""
        try:
            answer = self.ask(who, contract, method, *args)
        except ViewRefused as refusal:
            assert refusal.code == Code.refused.name, (refusal.code, refusal.detail)
            return code_of(refusal.detail)
        raise AssertionError(f"{who} was answered: {answer!r}")

    @property
    def now_ms(self) -> int:
        return self.chain.time_ms

    def pass_time(self, time_ms: int) -> None:
        self.chain.advance(height=1, time_ms=time_ms)

    def suspend(self, party: str) -> None:
        self.do("bureau" if party != "bureau" else "board", "parties", "suspend", party, "audit")

    # --- the way of an algorithm --------------------------------------------------------------

    def publisher(self) -> None:
        """The tech provider gets an account whose key is known: images are signed with it."""
        self.do("bureau", "parties", "add_account", "chipworks", address_of(PUBLISHER_KEY))

    def image(
        self,
        algorithm_id: str = "scores/1",
        text: str = "image",
        provider: str = "chipworks",
        publisher: bytes = PUBLISHER,
    ) -> list[Value]:
        """The last arguments of algorithm.propose, and all of rebuild after the id."""
        digests = digest(text), digest("layout")
        signature = sm2.sign(
            publisher,
            publisher_message(
                digests,
                chain=self.chain.block_context().chain_id,
                algorithm=algorithm_id,
                provider=provider,
                parameters=PARAMETERS,
            ),
        )
        return ["registry.example/scores:1", *digests, sm2.public_key(publisher), signature]

    def description(self, algorithm_id: str = "scores/1") -> list[Value]:
        """The arguments of algorithm.propose."""
        parameters: list[Value] = [list(parameter) for parameter in PARAMETERS]
        return [algorithm_id, "Scores", "mpc", parameters, *self.image(algorithm_id)]

    def vetting(self, algorithm_id: str = "scores/1") -> str:
        self.publisher()
        self.do("chipworks", "algorithm", "propose", *self.description(algorithm_id))
        return algorithm_id

    # --- the way of a demand ------------------------------------------------------------------

    def catalogued(self) -> None:
        """Each supplier registered one data set."""
        for supplier in SUPPLIERS:
            self.enter(supplier, dataset_of(supplier))

    def drafted(self, who: str, dataset_id: str = "x", demand_id: str = "") -> str:
        self.do(who, "catalog", "draft", dataset_id, demand_id, *dataset_text(who))
        return dataset_id

    def enter(self, who: str, dataset_id: str = "x", demand_id: str = "") -> str:
        """A data set from its draft into the catalogue."""
        self.drafted(who, dataset_id, demand_id)
        self.do(who, "catalog", "collect", dataset_id, *dataset_rows(who))
        self.do(who, "catalog", "register", dataset_id)
        return dataset_id

    def filed(self, demand_id: str = "d1") -> str:
        self.do("insurer", "demand", "file", demand_id, *DEMAND)
        return demand_id

    def forwarded(self, demand_id: str = "d1") -> str:
        self.filed(demand_id)
        self.do("opco", "demand", "prescreen", demand_id, True, "complete")
        return demand_id

    def approved(self, demand_id: str = "d1") -> str:
        self.catalogued()
        self.forwarded(demand_id)
        self.do("bureau", "demand", "review", demand_id, True, "lawful", all_datasets())
        return demand_id

    def collecting(self, demand_id: str = "d1") -> str:
        """The catalogue lacks what is asked for: all suppliers of SUPPLIERS are to collect."""
        self.forwarded(demand_id)
        due_ms = self.now_ms + 48 * HOUR_MS
        order: list[Value] = ["not there yet", [*SUPPLIERS], "claims of 2026", due_ms]
        self.do("bureau", "demand", "collect", demand_id, *order)
        return demand_id

    def requested(
        self, grant_id: str = "g1", *, uses_max: int = 3, hours: int = 24, channel: str = ""
    ) -> str:
        demand_id = self.approved()
        terms = self.grant_terms(demand_id, uses_max, hours)
        self.do("opco", "grant", "request", grant_id, *changed(terms, -1, channel))
        return grant_id

    def in_review(self, grant_id: str = "g1") -> str:
        self.requested(grant_id)
        self.do("bureau", "grant", "review", grant_id)
        return grant_id

    def signed(self, grant_id: str = "g1") -> str:
        """The manager granted it, and the operator has not countersigned yet."""
        self.in_review(grant_id)
        self.do("bureau", "grant", "decide", grant_id, True, "lawful", self.terms_digest(grant_id))
        return grant_id

    def granted(self, grant_id: str = "g1", *, uses_max: int = 3, hours: int = 24) -> str:
        demand_id = self.approved()
        return self.authorize(grant_id, self.grant_terms(demand_id, uses_max, hours))

    def authorize(self, grant_id: str, terms: Sequence[Value] | None = None) -> str:
        """A grant under an approved demand, from its request to its second signature."""
        asked = self.grant_terms() if terms is None else terms
        self.do("opco", "grant", "request", grant_id, *asked)
        self.do("bureau", "grant", "review", grant_id)
        self.do("bureau", "grant", "decide", grant_id, True, "lawful", self.terms_digest(grant_id))
        self.do("opco", "grant", "accept", grant_id, self.terms_digest(grant_id))
        return grant_id

    def terms_digest(self, grant_id: str) -> Value:
        """What manager and operator sign."""
        return self.ask_record("bureau", "grant", "show", grant_id)["digest"]

    def grant_terms(self, demand_id: str = "d1", uses_max: int = 3, hours: int = 24) -> list[Value]:
        """The arguments of grant.request after its id; the last one is the channel."""
        expires_ms = self.now_ms + hours * HOUR_MS
        scope: list[Value] = [SCENARIO, all_datasets(), [ALGORITHM], *USAGE]
        return [demand_id, *scope, 0, expires_ms, uses_max, "none", ""]

    def preapproved(self, channel_id: str = "c1", *, uses_max: int = 3) -> str:
        """A channel for what `grant_terms` asks; the data sets must be in the catalogue."""
        self.do("bureau", "preapproval", "preapprove", channel_id, *self.channel(uses_max))
        return channel_id

    def channel(self, uses_max: int = 3) -> list[Value]:
        """The arguments of preapproval.preapprove after its id."""
        scope: list[Value] = [SCENARIO, all_datasets(), [ALGORITHM], *USAGE]
        until_ms = self.now_ms + 48 * HOUR_MS
        return ["opco", *scope, uses_max, "none", 24 * HOUR_MS, until_ms]

    # --- the way of a task --------------------------------------------------------------------

    def order(self, task_id: str = "t1", grant_id: str = "g1", *, hours: int = 1) -> list[Value]:
        """The arguments of task.create."""
        participants: list[Value] = [[supplier, dataset_of(supplier)] for supplier in SUPPLIERS]
        deadline_ms = self.now_ms + hours * HOUR_MS
        words: list[Value] = [task_id, grant_id, ALGORITHM, PROGRAM, participants, RECEIVER_KEY]
        return [*words, deadline_ms, "", ""]

    def created(self, task_id: str = "t1", *, uses_max: int = 3, hours: int = 1) -> str:
        grant_id = self.granted(uses_max=uses_max)
        self.do("opco", "task", "create", *self.order(task_id, grant_id, hours=hours))
        return task_id

    def accept(self, supplier: str, task_id: str = "t1") -> list[tuple[str, Fields]]:
        return self.do(supplier, "task", "accept", *acceptance(supplier, task_id))

    def running(self, task_id: str = "t1", *, uses_max: int = 3, hours: int = 1) -> str:
        self.created(task_id, uses_max=uses_max, hours=hours)
        for supplier in SUPPLIERS:
            self.accept(supplier, task_id)
        return task_id

    def report(
        self, supplier: str, task_id: str = "t1", program: str = "compiled"
    ) -> list[tuple[str, Fields]]:
        return self.do(supplier, "task", "report", *result(supplier, task_id, program))

    def finished(self, task_id: str = "t1") -> str:
        self.running(task_id)
        for supplier in SUPPLIERS:
            self.report(supplier, task_id)
        return task_id

    # --- the way of a job ---------------------------------------------------------------------

    def plan(self, job_id: str = "j1", *, priority: int = 5, hours: int = 9) -> list[Value]:
        """The arguments of job.create: two steps at once, and a third after both."""
        steps: list[Value] = [step("first"), step("second"), step("third", "first", "second")]
        return [job_id, "Claims", "g1", priority, self.now_ms + hours * HOUR_MS, steps]

    def planned(self, job_id: str = "j1", *, priority: int = 5) -> str:
        if self.ask("opco", "grant", "is_valid", "g1") is False:
            self.granted(uses_max=9)
        self.do("opco", "job", "create", *self.plan(job_id, priority=priority))
        return job_id

    def job(self, job_id: str = "j1") -> Fields:
        """The job's record, as its operator reads it."""
        found = self.ask_record("opco", "job", "show", job_id)["job"]
        assert isinstance(found, dict)
        return {str(name): value for name, value in found.items()}

    def queued(self, job_id: str = "j1", *, priority: int = 5) -> str:
        self.planned(job_id, priority=priority)
        for party in (*SUPPLIERS, "insurer"):
            self.do(party, "job", "confirm", job_id, self.job(job_id)["digest"])
        return job_id

    def dispatched(self, job_id: str = "j1") -> str:
        self.queued(job_id)
        self.do("opco", "job", "dispatch", job_id)
        return job_id

    def step_order(self, name: str, task_id: str, job_id: str = "j1") -> list[Value]:
        """The arguments of task.create for a step of the plan."""
        return [*self.order(task_id)[:7], job_id, name]

    def step_done(self, name: str, task_id: str, job_id: str = "j1") -> None:
        """A task of its own carries the step out."""
        self.do("opco", "task", "create", *self.step_order(name, task_id, job_id))
        for act in (self.accept, self.report):
            for supplier in SUPPLIERS:
                act(supplier, task_id)

    def all_done(self, job_id: str = "j1") -> str:
        self.dispatched(job_id)
        for name in ("first", "second", "third"):
            self.step_done(name, f"{job_id}-{name}", job_id)
        return job_id

    def with_result(self, job_id: str = "j1") -> str:
        self.all_done(job_id)
        self.do("opco", "job", "finish", job_id, digest("result"))
        return job_id

    def verified(self, job_id: str = "j1") -> str:
        self.with_result(job_id)
        self.do("insurer", "job", "verify", job_id, digest("result"), True, "")
        return job_id

    # --- the way of a product -------------------------------------------------------------------

    def registered(self, product_id: str = "p1") -> str:
        task_id = self.finished()
        words: list[Value] = ["Table", "", digest("result"), "statistics"]
        self.do("opco", "product", "register", product_id, task_id, *words)
        return product_id

    def assessed(self, product_id: str = "p1") -> str:
        self.registered(product_id)
        self.do("bureau", "product", "approve", product_id, True, "fit")
        return product_id

    def agreed(self, agreement_id: str = "a1") -> str:
        self.assessed()
        self.do("opco", "agreement", "offer", agreement_id, *agreed_terms(self))
        for side in ("opco", "insurer"):
            self.do(side, "agreement", "sign", agreement_id, digest("agreement"))
        return agreement_id

    def offered(self, delivery_id: str = "v1") -> str:
        product_id = self.assessed()
        self.do("opco", "delivery", "offer", delivery_id, product_id, *OFFER)
        return delivery_id


def agreed_terms(business: Business) -> list[Value]:
    """The arguments of agreement.offer over the product p1, after the id; 100 yuan a delivery."""
    until_ms = business.now_ms + 20 * HOUR_MS
    text = digest("agreement")
    return ["product", "p1", "Claims by plan", text, "registry", 10_000, "", "delivery", until_ms]


def step(name: str, *after: str, component: str = ALGORITHM, key: bytes = RECEIVER_KEY) -> Value:
    """A step of a plan: the computation of Business.order."""
    return {
        "name": name,
        "component": component,
        "program_hash": sm3.digest(PROGRAM),
        "participants": [[supplier, dataset_of(supplier)] for supplier in SUPPLIERS],
        "receiver_key": key,
        "after": list(after),
        "resources": [["cpu_millis", 2000], ["memory_mib", 1024]],
    }


OFFER: list[Value] = ["insurer", digest("agreement"), digest("payload")]


def all_datasets() -> list[Value]:
    return [dataset_of(supplier) for supplier in SUPPLIERS]


def dataset_text(supplier: str) -> list[Value]:
    """The arguments of catalog.describe after the id, and of draft after the demand."""
    title = f"Claims of {supplier}"
    return [title, "by person and year", ["insurance"], SCHEMA, "health insurance", 3, 90]


def dataset_rows(supplier: str, *, rows: str = "rows") -> list[Value]:
    """The arguments of catalog.collect and update after the id."""
    return [6730, digest(supplier + rows), [["completeness", 990_000], ["accuracy", 970_000]]]


def acceptance(supplier: str, task_id: str = "t1") -> list[Value]:
    """The arguments of task.accept."""
    return [task_id, f"{supplier}.example:9700", CERTIFICATE, digest(supplier + "rows")]


def result(supplier: str, task_id: str = "t1", program: str = "compiled") -> list[Value]:
    """The arguments of task.report."""
    return [
        task_id,
        digest(program),
        digest("transcript of " + supplier),
        digest("output of " + supplier),
        b"sealed share of " + supplier.encode(),
        [120, 4096],
        "ABY3, semi-honest, honest majority",
    ]


def code_of(detail: str) -> str:
    """The dotted code before the colon of a refusal; what follows must say what to do."""
    code, _, advice = detail.partition(": ")
    assert advice, f"the refusal says nothing to do: {detail!r}"
    return code


def changed(values: Sequence[Value], position: int, value: Value) -> list[Value]:
    """`values` with one of them replaced."""
    at = position % len(values)
    return [*values[:at], value, *values[at + 1 :]]
