"""A chain on which the whole business happened, with real keys and certificates, for audits.

Honest parties, and others: refused acts, an account of nobody, a suspended and a removed one, and
texts that attack whatever shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from client.account import Account
from contracts.bundle import genesis_contracts
from crypto import sm2, sm3
from crypto.providers.software import SoftwareProvider
from executors.builtin import built_in
from ledger.genesis import Genesis, GenesisParty
from ledger.model import Receipt, Transaction, ValidatorSet
from ledger.values import Value, decode_value
from tests.business import (
    ALGORITHM,
    CERTIFICATE,
    DEMAND,
    HOUR_MS,
    PROGRAM,
    USAGE,
    code_of,
    dataset_of,
    dataset_rows,
    dataset_text,
    digest,
    result,
)
from tests.moving_chain import Chain

ROLES = {
    "opco": "operator",
    "health": "supplier",
    "social": "supplier",
    "civil": "supplier",
    "insurer": "consumer",
    "rival": "operator",
}
# What attacks spreadsheets, pages, CSV readers and SQL; a contract keeps any text.
HOSTILE = (
    '=HYPERLINK("http://x.invalid","pay")',
    "<script>alert('&\"')</script>",
    'a,"b"\r\nc;\td',
    "+1\x00\u202e-2",
    "'); DROP TABLE acts; --",
    "'=1+1",
    "＝cmd|' /C calc'!A0",
)
DAY_MS = 24 * HOUR_MS
READER = """
from contracts.dialect import Var, call, emit
seen = Var(str)
@call
def note(dataset_id: str, text: str) -> None:
    seen.set(dataset_id)
    emit("Noted", dataset_id=dataset_id)
"""


def terms_digest_of(asked: Receipt) -> Value:
    """What manager and operator sign, from the receipt of the request."""
    (event,) = asked.events
    return {name: decode_value(value) for name, value in event.fields}["digest"]


class Outcome(NamedTuple):
    """What a test knows of an act because it did it."""

    height: int
    who: str
    call: str
    receipt: Receipt


class AuditedChain(Chain):
    """Parties `bureau` and those of ROLES; the first four of these run the nodes."""

    def __init__(self, root: Path) -> None:
        self.people: dict[str, Account] = {}
        self.outcomes: list[Outcome] = []
        super().__init__(root)

    def _genesis(self, vm_version: str) -> Genesis:
        made = super()._genesis(vm_version)
        self.people = dict(zip(ROLES, self.voices, strict=True))
        self.people["bureau"] = self.manager
        self.people["stranger"] = Account(SoftwareProvider(sm2.generate()))
        self.nodes = tuple(
            replace(node, party=party) for node, party in zip(self.nodes, ROLES, strict=True)
        )
        parties = (
            GenesisParty("bureau", "Bureau", ("manager",), (self.manager.address,)),
            *(
                GenesisParty(party, f"The {party}", (role,), (self.people[party].address,))
                for party, role in ROLES.items()
            ),
        )
        lab = Account(SoftwareProvider(sm2.generate())).address
        parties = (*parties, GenesisParty("lab", "The lab", ("tech_provider",), (lab,)))
        validators = ValidatorSet(self.nodes[:4])
        contracts = genesis_contracts(
            parties,
            validators=validators,
            limits=made.limits,
            algorithms=[("lab", algorithm) for algorithm in built_in()],
        )
        return replace(made, validators=validators, parties=parties, contracts=contracts)

    # --- acting ---------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        return self.store.head_statement().time_ms

    def sign(self, who: str, call: str, *args: Value) -> Transaction:
        contract, method = call.split(".")
        return self.act(self.people[who], contract, method, *args)

    def attempted(self, who: str, call: str, *args: Value) -> Receipt:
        """A block with one act, whatever came of it."""
        (receipt,) = self.attempt(self.sign(who, call, *args))
        self.outcomes.append(Outcome(self.store.height, who, call, receipt))
        return receipt

    def do(self, who: str, call: str, *args: Value) -> Receipt:
        receipt = self.attempted(who, call, *args)
        assert receipt.status == 0, (call, receipt.error, receipt.detail)
        return receipt

    def refused(self, who: str, call: str, *args: Value, code: str) -> None:
        receipt = self.attempted(who, call, *args)
        assert receipt.status != 0 and code_of(receipt.detail) == code, receipt

    # --- the story ------------------------------------------------------------------------------

    def catalogue(self, *suppliers: str) -> None:
        for supplier in suppliers:
            dataset = dataset_of(supplier)
            self.do(supplier, "catalog.draft", dataset, "", *dataset_text(supplier))
            self.do(supplier, "catalog.collect", dataset, *dataset_rows(supplier))
            self.do(supplier, "catalog.register", dataset)

    def grant(self, number: int, suppliers: Sequence[str], *, uses_max: int = 3) -> None:
        """Demand dN of the insurer, and grant gN for the operator."""
        datasets: list[Value] = [dataset_of(supplier) for supplier in suppliers]
        demand = f"d{number}"
        self.do("insurer", "demand.file", demand, *DEMAND)
        self.do("opco", "demand.prescreen", demand, True, "complete")
        self.do("bureau", "demand.review", demand, True, "lawful", datasets)
        grant = f"g{number}"
        terms: list[Value] = [demand, "pricing", datasets, [ALGORITHM], *USAGE]
        window: list[Value] = [0, self.now_ms + DAY_MS]
        asked = self.do("opco", "grant.request", grant, *terms, *window, uses_max, "none", "")
        signed = terms_digest_of(asked)
        self.do("bureau", "grant.review", grant)
        self.do("bureau", "grant.decide", grant, True, "lawful", signed)
        self.do("opco", "grant.accept", grant, signed)

    def order(self, task: str, grant: str, suppliers: Sequence[str]) -> list[Value]:
        participants: list[Value] = [[supplier, dataset_of(supplier)] for supplier in suppliers]
        key = self.people["opco"].public_key
        words: list[Value] = [task, grant, ALGORITHM, PROGRAM, participants, key]
        return [*words, self.now_ms + HOUR_MS, "", ""]

    def compute(self, task: str, grant: str, suppliers: Sequence[str]) -> None:
        self.do("opco", "task.create", *self.order(task, grant, suppliers))
        for supplier in suppliers:
            rows = digest(supplier + "rows")
            self.do(supplier, "task.accept", task, f"{supplier}:9700", CERTIFICATE, rows)
        for supplier in suppliers:
            self.do(supplier, "task.report", *result(supplier, task))

    def record(  # type: ignore[override]  # with a kind and a subject of its own
        self,
        evidence: str,
        *,
        who: str = "opco",
        kind: str,
        subject: str,
        what: bytes,
        note: str = "",
    ) -> None:
        self.do(who, "evidence.record", evidence, kind, subject, what, note)

    def deliver(self, product: str, task: str, delivery: str) -> None:
        words = "Table", "", digest("result"), "statistics"
        self.do("opco", "product.register", product, task, *words)
        self.do("bureau", "product.approve", product, True, "fit")
        offer: list[Value] = ["insurer", digest("agreement"), digest("payload")]
        self.do("opco", "delivery.offer", delivery, product, *offer)


def tell_story(chain: AuditedChain) -> None:
    """A product that was delivered, one whose chain has gaps, and what was refused on the way."""
    chain.catalogue("health", "social", "civil")
    order = chain.order("t0", "g1", ("health", "social"))
    chain.refused("opco", "task.create", *order, code="grant.unknown")
    chain.grant(1, ("health", "social"))
    chain.refused(
        "rival",
        "task.create",
        *chain.order("t9", "g1", ("health", "social")),
        code="grant.operator",
    )
    chain.record(
        "e1",
        who="health",
        kind="aggregation.collected",
        subject=dataset_of("health"),
        what=digest("x"),
    )
    chain.record(
        "e2",
        who="social",
        kind="aggregation.collected",
        subject=dataset_of("social"),
        what=digest("y"),
    )
    chain.record("e3", who="bureau", kind="authorization.decision", subject="g1", what=digest("z"))
    chain.compute("t1", "g1", ("health", "social"))
    chain.record("e4", kind="development.algorithm", subject="t1", what=sm3.digest(PROGRAM))
    chain.deliver("p1", "t1", "v1")
    for who in ("opco", "insurer"):
        chain.record(
            f"e5-{who}", who=who, kind="delivery.agreement", subject="p1", what=digest("agreement")
        )
    chain.do("insurer", "delivery.accept", "v1", digest("payload"), True, "as agreed")
    chain.record("e6", who="insurer", kind="delivery.received", subject="v1", what=digest("result"))
    _tell_gaps(chain)
    _tell_refusals(chain)


def _tell_gaps(chain: AuditedChain) -> None:
    # One with gaps: no evidence, not answered.
    chain.grant(2, ("social", "civil"), uses_max=1)
    chain.compute("t2", "g2", ("social", "civil"))
    chain.deliver("p2", "t2", "v2")
    chain.refused(
        "opco", "task.create", *chain.order("t3", "g2", ("social", "civil")), code="grant.used_up"
    )
    # With the digest of the agreement, by one who is no side of it.
    chain.record(
        "e9", who="health", kind="delivery.agreement", subject="p2", what=digest("agreement")
    )
    # What attacks whoever shows it.
    for number, words in enumerate(HOSTILE):
        chain.record(
            f"h{number}",
            who="civil",
            kind="development.process",
            subject="p1",
            what=digest(words),
            note=words,
        )


def _tell_refusals(chain: AuditedChain) -> None:
    chain.do("bureau", "grant.revoke", "g1", "the purpose is fulfilled")
    chain.refused(
        "opco", "task.create", *chain.order("t4", "g1", ("health", "social")), code="grant.revoked"
    )
    chain.refused(
        "stranger",
        "evidence.record",
        "x",
        "delivery.sent",
        "p1",
        bytes(32),
        "",
        code="evidence.role",
    )
    chain.do("bureau", "parties.suspend", "rival", "acted against its agreement")
    chain.refused("rival", "demand.prescreen", "d1", True, "", code="demand.role")
    spare = Account(SoftwareProvider(sm2.generate()))
    chain.people["spare"] = spare
    chain.do("bureau", "parties.add_account", "civil", spare.address)
    chain.do("spare", "evidence.record", "e7", "development.process", "p2", bytes(32), "")
    chain.do("bureau", "parties.remove_account", "civil", spare.address)
    chain.refused(
        "spare",
        "evidence.record",
        "e8",
        "development.process",
        "p2",
        bytes(32),
        "",
        code="evidence.role",
    )
    chain.attempted("opco", "task.accept", 7, [["p1", dataset_of("civil")]])
    chain.do("opco", "contract.deploy", "reader", READER, b"\x90")
    chain.do("civil", "reader.note", dataset_of("health"), "=1")


def audited_chain(root: Path, story: Callable[[AuditedChain], None] = tell_story) -> AuditedChain:
    root.mkdir(parents=True, exist_ok=True)
    chain = AuditedChain(root)
    story(chain)
    return chain


@dataclass(frozen=True, slots=True)
class Audited:
    """A chain on which the whole business happened, and an archive of it."""

    chain: AuditedChain
    archive: Path

    @property
    def genesis_file(self) -> str:
        return str(self.chain.root / "genesis.json")
