"""The gas that a client foresees is enough for the largest call of every method."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from client.account import Account
from client.build import build_transaction
from client.gas import GAS_UNKNOWN, GAS_WHOLE, gas_limit_of
from contracts.bundle import SYSTEM_CONTRACTS, system_sources
from contracts.system import preapproval
from contracts.vm import prices
from contracts.vm.limits import SOURCE_SIZE_MAX
from contracts.vm.testing import account
from crypto import sm2, sm3
from crypto.providers.software import SoftwareProvider
from ledger.encoding import decode
from ledger.model import TransactionBody
from ledger.values import Value, encode_value
from tests.business import HOUR_MS
from tests.gas_world import Machinery
from tests.largest import ALGORITHM, DIGEST, apply, enter_catalogue, name, vet, wide, work
from tests.largest_platform import build

ACTIONS: list[Value] = [*preapproval.ACTIONS[:16]]
PROHIBITED: list[Value] = [*preapproval.ACTIONS[16:]]
DUE: list[Value] = [*preapproval.DUTIES]
SMALL = """from contracts.dialect import view


@view
def answer() -> int:
    return 42
"""
MARGIN = 5, 4  # a limit is this much more than was used: texts may be wider still


class Largest(Machinery):
    """Makes every call with the largest arguments that it takes, and keeps what each used."""

    def play(self) -> None:
        self.govern()
        self.certify()
        self.accuse()
        self.admit()
        pairs = enter_catalogue(self, self.chain.time_ms)
        self.grant([pair[1] for pair in pairs])
        self.compute([[party, dataset] for party, dataset in pairs[::2]])
        self.deliver()
        self.rule()
        self.oversee()
        self.do("operator", "contract", "deploy", "small", SMALL, encode_value([]))
        self.settle()
        self.decide_together()
        for step in ("reject", "withdraw"):
            self.do("manager", "contract", "upgrade", "small", 2, SMALL, wide(160))
            self.do("manager", "contract", step, "small", 2, wide(160))
        self.do("manager", "contract", "freeze", "small", wide(160))
        self.do("manager", "contract", "unfreeze", "small")
        self.do("manager", "contract", "revoke", "small", wide(160))

    def admit(self) -> None:
        suppliers = [(f"supplier-{number:02}", "supplier") for number in range(16)]
        for who, role in [("operator", "operator"), ("consumer", "consumer"), *suppliers]:
            self.do("manager", "parties", "register", *self.chosen(who, role))
        self.do("manager", "parties", "remove_account", name("operator"), account("operator/0"))
        self.do("manager", "parties", "add_account", name("operator"), account("operator/new"))
        keeper, words = account("keeper"), (account("operator/new"), account("newer"), wide(512))
        self.do("manager", "parties", "name_keeper", name("operator"), keeper, wide(512))
        self.do("keeper", "parties", "replace_account", name("operator"), *words)
        self.do("manager", "parties", "suspend", name("operator"), wide(512))
        self.do("manager", "parties", "readmit", name("operator"), wide(512))
        apply(self, self.chain.time_ms)
        self.do("manager", "parties", "revoke", name("applicant-0"), wide(512))

    def grant(self, datasets: list[str]) -> None:
        chosen: list[Value] = [*datasets]
        self.do("manager", "demand", "review", name("d"), True, wide(1024), chosen)
        vet(self)
        self.algorithms: list[Value] = [f"{number:02}" + wide(62) for number in range(31)]
        self.algorithms.append(ALGORITHM)
        outputs: list[Value] = [f"{number:02}".ljust(64, "o") for number in range(16)]
        scope: list[Value] = [wide(512), chosen, self.algorithms, outputs, ACTIONS, PROHIBITED]
        scope.append(DUE)
        now_ms = self.chain.time_ms
        channel: list[Value] = [name("operator"), *scope, 10**6, "hw_tee", 1000 * HOUR_MS]
        for opened in ("c", "closed"):
            words: list[Value] = [name(opened), *channel, now_ms + 1000 * HOUR_MS]
            self.do("manager", "preapproval", "preapprove", *words)
        self.do("manager", "preapproval", "close_channel", name("closed"), wide(512))
        asked: list[Value] = [name("d"), *scope, 1, now_ms + 900 * HOUR_MS, 10**6, "hw_tee"]
        for grant, drawn in [("g", ""), ("h", name("c")), ("refused", ""), ("withdrawn", "")]:
            self.do("operator", "grant", "request", name(grant), *asked, drawn)
        self.do("operator", "grant", "withdraw", name("withdrawn"), wide(512))
        for grant in ("g", "refused"):
            shown = self.chain.view(account("operator"), "grant", "show", name(grant))
            assert isinstance(shown, dict)
            digest = shown["digest"]
            self.do("manager", "grant", "review", name(grant))
            decision: list[Value] = [name(grant), grant == "g", wide(1024), digest]
            self.do("manager", "grant", "decide", *decision)
            if grant == "g":
                self.do("operator", "grant", "accept", name(grant), digest)

    def compute(self, pairs: list[Value]) -> None:
        """One task to its end, and a revocation while the queue of a grant is full."""
        key, deadline_ms = b"k" * 64, self.chain.time_ms + 100 * HOUR_MS
        program = b"p" * (16 << 10)
        suppliers = [f"supplier-{number:02}" for number in range(16)]
        order: list[Value] = [self.algorithms[-1], program, pairs, key, deadline_ms, "", ""]
        for task, grant in [("done", "g"), ("cancelled", "g"), ("failed", "g"), ("late", "g")]:
            self.do("operator", "task", "create", name(task), name(grant), *order)
        certificate = "-----BEGIN CERTIFICATE-----" + wide(4000)
        for who in suppliers:
            self.do(who, "task", "accept", name("done"), wide(128), certificate, DIGEST)
        for who in suppliers:
            said: list[Value] = [DIGEST, DIGEST, DIGEST, b"s" * (48 << 10), [2**200] * 16]
            said.append(wide(256))
            self.do(who, "task", "report", name("done"), *said)
        self.do("manager", "task", "cancel", name("cancelled"))
        self.do("supplier-15", "task", "fail", name("failed"), wide(512))
        ordered = (self.algorithms[-1], program, pairs, key)
        work(self, self.chain, ordered, report=(certificate, said))
        for number in range(32):
            self.do("operator", "task", "create", name(f"t{number}"), name("h"), *order)
        self.do("manager", "grant", "revoke", name("h"), wide(512))
        self.chain.advance(time_ms=101 * HOUR_MS)
        self.do("consumer", "task", "expire", name("late"))
        self.do("consumer", "job", "expire", name("e"))
        self.do("supplier-15", "catalog", "retire", name("dataset-31"), wide(512))

    def rule(self) -> None:
        """A plan that sets every limit of its stage, and a version that supersedes it."""
        rule, where = name("rule"), wide(512)
        checks: list[Value] = [["no_diligence", 1, "critical"], ["delivery_rejected", 1, "notice"]]
        checks += [["delivery_unanswered", 8760, "critical"]]
        text: list[Value] = ["monitoring", "delivery", wide(128), DIGEST, where, checks]
        for number in (1, 2, 3):
            self.do("operator", "rules", "draft", rule, *text)
            if number < 3:
                height = self.chain.height + 2
                self.do("manager", "rules", "enact", rule, number, DIGEST, height)
                self.chain.advance(height=2)
        self.do("operator", "rules", "withdraw", rule)
        self.do("operator", "rules", "draft", rule, *text)
        self.do("manager", "rules", "enact", rule, 4, DIGEST, self.chain.height + 5)
        self.do("operator", "rules", "draft", rule, *text)
        self.do("manager", "rules", "revoke", rule, wide(512))

    def oversee(self) -> None:
        """Every contract of oversight with its longest texts and lists."""
        operator, note = name("operator"), wide(1024)
        for engagement in ("e", "f"):
            self.do("operator", "oversight", "select", name(engagement), name("tech"), note)
            self.do("manager", "oversight", "review", name(engagement), True, note)
            if engagement == "e":
                self.do("operator", "oversight", "end", name(engagement), note)
        build(self, self.chain)
        self.do("operator", "oversight", "end", name("f"), note)
        alerts: list[Value] = []
        for number in range(32):
            words: list[Value] = [operator, "development", "warning", note, DIGEST]
            self.do("consumer", "alert", "report", name(f"topic-{number:02}"), *words)
            alerts.append(f"alert-{number + 1}")
        self.do("consumer", "alert", "check", "no_diligence", name("w"))
        self.chain.advance(time_ms=2 * HOUR_MS)
        self.do("consumer", "alert", "check", "no_diligence", name("w"))
        self.do("consumer", "alert", "report", name("topic-00"), *words)
        for step in ("acknowledge", "close"):
            self.do("manager", "alert", step, alerts[0], note)
        opened: list[Value] = [wide(128), "development", "critical", operator, alerts]
        self.do("manager", "incident", "open", name("i"), *opened)
        self.do("manager", "incident", "suspend_grant", name("i"), name("g"), wide(512))
        self.do("manager", "incident", "suspend_algorithm", name("i"), ALGORITHM, wide(512))
        self.do("manager", "incident", "cut_party", name("i"), wide(512))
        self.do("manager", "incident", "note_freeze", name("i"), "d" * 64, DIGEST, wide(512))
        self.do("manager", "incident", "keep", name("i"), 4, wide(512))
        for number in (1, 2, 3):
            self.do("manager", "incident", "lift", name("i"), number, wide(512))
        self.do("manager", "incident", "close", name("i"), note, DIGEST)
        due_ms, text = self.chain.time_ms + 9 * HOUR_MS, wide(2048)
        asked: list[Value] = [operator, "delivery", "permissions", text, due_ms]
        for inquiry in ("q", "r"):
            self.do("manager", "inquiry", "ask", name(inquiry), *asked)
        self.do("manager", "inquiry", "withdraw", name("r"), text)
        self.do("operator", "inquiry", "answer", name("q"), text, DIGEST)
        self.do("manager", "inquiry", "send_back", name("q"), text, due_ms)
        self.do("operator", "inquiry", "answer", name("q"), text, DIGEST)
        self.do("manager", "inquiry", "conclude", name("q"), True, text)
        scores: list[Value] = [[f"{number:02}" + wide(62), 100] for number in range(32)]
        judged: list[Value] = [operator, 0, 1, scores, "conditional", DIGEST, text, due_ms]
        self.do("manager", "evaluation", "publish", name("e"), *judged)
        self.do("operator", "evaluation", "answer", name("e"), False, text)
        self.do("manager", "evaluation", "settle", name("e"), "conditional", text)

    def bill(self) -> None:
        """A full tariff, a full task, and a statement of as many entries as it takes."""
        services: list[Value] = [[f"{number:02}".ljust(64, "s"), 10**15] for number in range(61)]
        services += [["delivery", 1], ["dataset", 1], ["task", 1]]
        for number in (1, 2):
            height = self.chain.height + 2
            text: list[Value] = [number, DIGEST, wide(512), services, height]
            self.do("manager", "tariff", "enact", *text)
            self.chain.advance(height=2)
        far: list[Value] = [3, *text[1:4], self.chain.height + 10**8]
        self.do("manager", "tariff", "enact", *far)
        self.do("manager", "tariff", "withdraw", 3)
        self.do("manager", "billing", "meter_task", name("done"))
        self.do("manager", "billing", "meter_delivery", name("w"))
        for number in range(198):
            log = sm3.digest(str(number).encode())
            self.do("operator", "billing", "report_use", name("a"), 10**12, log)
        for bill in ("s", "t"):
            self.chain.advance(time_ms=HOUR_MS // 9)
            issued: list[Value] = [name(bill), name("consumer"), self.chain.time_ms]
            self.do("operator", "billing", "issue", *issued)
            log = sm3.digest(bill.encode())
            self.do("operator", "billing", "report_use", name("a"), 1, log)
        total = 198 * 10**27 + 1
        self.do("consumer", "billing", "accept", name("t"), 10**15)
        self.do("consumer", "billing", "contest", name("s"), wide(1024))
        self.do("manager", "billing", "settle", name("s"), total, wide(1024))
        for is_paid in (False, True):
            self.do("consumer", "payment", "remit", name("s"), DIGEST)
            self.do("operator", "payment", "deny", name("s"), wide(1024))
            self.do("manager", "payment", "conclude", name("s"), is_paid, wide(1024))
        self.do("operator", "payment", "confirm", name("t"), DIGEST)

    def agree(self) -> None:
        """Over a product, which asks most, with both signatures."""
        words: list[Value] = [wide(128), DIGEST, wide(512), 10**15, ""]
        until_ms = self.chain.time_ms + HOUR_MS
        for agreement in ("a", "b", "c"):
            terms = ["product", name("p"), *words, "use", until_ms]
            self.do("operator", "agreement", "offer", name(agreement), *terms)
        for side in ("operator", "consumer"):
            self.do(side, "agreement", "sign", name("a"), DIGEST)
            self.do(side, "agreement", "sign", name("b"), DIGEST)
        self.do("consumer", "agreement", "terminate", name("b"), wide(512))
        self.do("operator", "agreement", "sign", name("c"), DIGEST)
        self.do("consumer", "agreement", "decline", name("c"), wide(512))

    def de_identify(self, note: str) -> None:
        """All who may assess have done so, and one does it again."""
        supplier = "supplier-15"
        dataset = name("dataset-30")
        self.do("manager", "deidentification", "classify", dataset, True, note)
        self.do("manager", "deidentification", "classify", dataset, False, note)
        self.do("operator", "deidentification", "ask", name("p"))
        methods: list[Value] = [f"{number}".ljust(64, "m") for number in range(8)]
        found: list[Value] = [DIGEST, methods, 4, 10**12, 1, 10**6, DIGEST, note]
        assessors = [f"supplier-{number:02}" for number in range(15)]
        for number, who in enumerate([*assessors, "consumer", "supplier-00"]):
            words: list[Value] = [name(f"s{number}"), name("p"), *found]
            self.do(who, "deidentification", "assess", *words)
        self.do("manager", "deidentification", "dismiss", name("s16"), note)
        self.do(supplier, "deidentification", "assess", name("s17"), name("p"), *found)

    def deliver(self) -> None:
        note, kind = wide(1024), "authorization.decision"
        self.do("consumer", "evidence", "record", name("e"), kind, name("d"), DIGEST, note)
        batch: list[Value] = [kind, name("d"), DIGEST, 2**20, "salted", wide(512), note]
        self.do("consumer", "evidence", "record_batch", name("eb"), *batch)
        keys: list[Value] = [[name(f"supplier-{n:02}"), bytes(113)] for n in range(16)]
        sealed: list[Value] = [kind, name("d"), DIGEST, wide(512), note, bytes(32 << 10), keys]
        self.do("consumer", "evidence", "record_sealed", name("es"), *sealed)
        for number in (1, 2):
            entries: list[Value] = [2**40 + number, 2**40 + number, DIGEST, 2**41]
            self.do("operator", "evidence", "anchor_access", 2**40 + number, *entries)
        text: list[Value] = [
            wide(128),
            wide(2048),
            DIGEST,
            "15".ljust(64, "o"),
        ]  # the last of the grant
        self.do("operator", "product", "register", name("p"), name("done"), *text)
        self.de_identify(note)
        self.do("manager", "product", "approve", name("p"), True, note)
        offer: list[Value] = [name("p"), name("consumer"), DIGEST, DIGEST]
        self.agree()
        self.do("operator", "delivery", "offer_under", name("w"), *offer, name("a"))
        words: list[Value] = [name("p"), "interface", "medium", DIGEST, note]
        for _ in range(2):
            self.do("operator", "delivery", "prepare", name("v"), *words)
        self.do("operator", "delivery", "offer", name("v"), *offer)
        self.do("operator", "delivery", "offer", name("u"), *offer)
        self.do("operator", "delivery", "withdraw", name("u"), note)
        self.do("consumer", "delivery", "accept", name("w"), DIGEST, True, note)
        self.bill()
        self.do("consumer", "delivery", "accept", name("v"), DIGEST, True, note)
        begin_ms = self.chain.time_ms
        self.chain.advance(height=1, time_ms=HOUR_MS // 9)
        used: list[Value] = [begin_ms, self.chain.time_ms, 10**12, wide(512), DIGEST, note]
        self.do("consumer", "delivery", "report_use", name("v"), *used)


@pytest.fixture(scope="module")
def largest() -> Largest:
    played = Largest()
    played.play()
    return played


def calls_of_system_contracts() -> Iterator[tuple[str, str]]:
    sources = dict(system_sources())
    for contract in SYSTEM_CONTRACTS:
        lines = sources[contract].split("\n")
        for before, line in pairwise(lines):
            if before == "@call":
                yield contract, line.removeprefix("def ").partition("(")[0].rstrip("_")


FOR_CONTRACTS_ONLY = {
    ("algorithm", "suspend"),
    ("algorithm", "resume"),
    *(("job", method) for method in ("take", "step_ended", "cancel_under")),
    *(("step", method) for method in ("plan", "begin", "end", "stop", "vouch")),
    ("task", "call_off"),
    *(("queue", method) for method in ("enter", "enter_owned", "leave", "leave_owned")),
    ("catalog", "engage"),
    ("billing", "turn"),
    ("quality", "declare"),
    ("quality", "rebase"),
    ("demand", "take_in"),
    ("catalog", "release"),
    ("grant", "use"),
    ("preapproval", "draw"),
    ("grant", "suspend"),
    ("grant", "resume"),
    ("task", "cancel_under"),
    ("governance", "admit"),
    ("governance", "dismiss"),
    ("governance", "ask"),
    ("governance", "cancel"),
    ("identity", "admit_root"),
    ("identity", "retire_root"),
    ("parameter", "schedule"),
    ("parameter", "cancel"),
    ("feature", "switch"),
    ("feature", "cancel"),
    ("policy", "change"),
    ("parties", "admit"),
    ("oversight", "engage"),
}


def test_the_largest_call_of_every_method_fits_its_limit(largest: Largest) -> None:
    more, than = MARGIN
    tight = {
        key: (used, gas_limit_of(*key))
        for key, used in largest.used.items()
        if used * more > gas_limit_of(*key) * than
    }
    assert tight == {}


def test_no_method_is_left_out(largest: Largest) -> None:
    wanted = set(calls_of_system_contracts()) - FOR_CONTRACTS_ONLY
    assert wanted - set(largest.used) == set()
    assert len(wanted) > 20


def test_the_longest_source_fits_the_limit_of_a_deployment() -> None:
    assert SOURCE_SIZE_MAX * (prices.GAS_SOURCE_BYTE + prices.GAS_WRITE_BYTE + 1) < GAS_WHOLE
    assert gas_limit_of("contract", "deploy") == gas_limit_of("contract", "upgrade") == GAS_WHOLE


def test_a_contract_of_somebody_else_gets_a_hundredth_of_a_block() -> None:
    assert gas_limit_of("transfer", "report") == GAS_UNKNOWN


@pytest.mark.parametrize(("given", "signed"), [(None, 4_000_000), (7, 7)])
def test_a_transaction_carries_the_limit_foreseen_unless_told(
    given: int | None, signed: int
) -> None:
    signer = Account(SoftwareProvider(sm2.generate()))
    transaction = build_transaction(
        signer,
        chain_id=bytes(32),
        valid_until=1,
        contract="task",
        method="report",
        args=[],
        gas_limit=given,
    )
    body = decode(transaction.body, TransactionBody, size_max=1 << 10)
    assert body.gas_limit == signed
