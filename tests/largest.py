"""The largest arguments that contracts take, for the test of what clients foresee."""

from __future__ import annotations

from typing import Protocol

from client.account import Account
from client.applications import ACCOUNTS_MAX, Application, Signed, apply_args, sign, terms_digest
from contracts.system.catalog import COLUMNS_MAX
from contracts.system.quality import MEASURES
from contracts.vm.testing import Chain, account
from crypto import sm2, sm3
from crypto.providers.software import SoftwareProvider
from executors.images import publisher_message
from ledger.model import address_of
from ledger.values import Value
from tests.business import HOUR_MS, ROLES

ALGORITHM = "a" * 62 + "/1"
WIDE = "汉"  # three bytes of storage, four of memory: costs more than ASCII
DIGEST = sm3.digest(b"rows")
PUBLISHER = sm3.digest(b"publisher")


class Play(Protocol):
    """A chain on which people whose accounts are named make large calls."""

    def do(self, who: str, contract: str, method: str, *args: Value) -> None: ...


def wide(characters: int) -> str:
    return WIDE * characters


def name(text: str) -> str:
    """An id as long as ids may be."""
    return text.ljust(64, "x")


def laboratory() -> Value:
    """The founder that vets, in the form of the genesis; its publisher's account is the last."""
    accounts: list[Value] = [account(f"lab/{number}") for number in range(30)]
    accounts += [account("lab"), address_of(sm2.public_key(PUBLISHER))]
    roles: list[Value] = [other for other in ROLES if other != "tech_provider"]
    return [name("lab"), wide(128), [*roles, "tech_provider"], accounts]


def apply(play: Play, now_ms: int) -> None:
    """The longest applications, in all roles, of as many accounts as may be; and how each ends."""
    for number, end in enumerate(("admit", "refuse", "withdraw")):
        keys = [
            Account(SoftwareProvider(sm3.digest(f"applicant/{number}/{key}".encode())))
            for key in range(ACCOUNTS_MAX)
        ]
        asked = Application(
            id=name(f"application-{number}"),
            party=name(f"applicant-{number}"),
            name=wide(128),
            organization=name("operator"),
            roles=ROLES,
            accounts=tuple(key.address for key in keys),
            documents=DIGEST,
            sponsor=name("operator"),
            expires_ms=now_ms + HOUR_MS,
        )
        paper = Signed(asked, bytes(32), {})
        for key in keys:
            paper = sign(paper, key)
        play.do("operator", "admission", "apply", *apply_args(paper))
        words: list[Value] = [asked.id, wide(512)]
        if end == "admit":
            digest, engagement = terms_digest(asked, bytes(32)), name("engaged")
            words = [asked.id, digest, engagement, wide(512)]
        play.do("operator" if end == "withdraw" else "manager", "admission", end, *words)


def vet(play: Play) -> None:
    """The longest description of an algorithm, signed by the last key that is looked at."""
    parameters = [(f"{number:02}".ljust(64, "p"), wide(32), wide(128)) for number in range(16)]
    told: list[Value] = [list(parameter) for parameter in parameters]
    for place, algorithm in enumerate((ALGORITHM, "b" * 62 + "/1")):
        images: list[list[Value]] = []
        for text in ("one", "two"):
            image = sm3.digest(text.encode()), DIGEST
            message = publisher_message(
                image,
                chain=bytes(32),
                algorithm=algorithm,
                provider=name("lab"),
                parameters=parameters,
            )
            signature = sm2.sign(PUBLISHER, message)
            images.append([wide(256), *image, sm2.public_key(PUBLISHER), signature])
        words = [algorithm, wide(128), "mpc", told, *images[0]]
        play.do("lab", "algorithm", "propose", *words)
        play.do("manager", "algorithm", "review", algorithm, images[0][1], True, wide(1024))
        play.do("lab", "algorithm", "rebuild", algorithm, *images[1])
        play.do("manager", "algorithm", "review", algorithm, images[1][1], True, wide(1024))
        if place:
            play.do("manager", "algorithm", "disable", algorithm, wide(512))


def enter_catalogue(play: Play, now_ms: int) -> list[tuple[str, str]]:
    """Two data sets of each of 16 suppliers, as (party, data set); then demands for more."""
    pairs = []
    columns: list[Value] = [
        [f"c{number:02}".ljust(64, "c"), "t" * 32, wide(128)] for number in range(COLUMNS_MAX)
    ]
    tags: list[Value] = [f"{number:02}".ljust(32, "t") for number in range(16)]
    text: list[Value] = [wide(128), wide(2048), tags, columns, wide(64), 4, 3650]
    rows: list[Value] = [10**12, DIGEST, [[measure, 10**6] for measure in MEASURES]]
    for number in range(32):
        who, dataset = f"supplier-{number // 2:02}", name(f"dataset-{number:02}")
        play.do(who, "catalog", "draft", dataset, "", *text)
        play.do(who, "catalog", "collect", dataset, *rows)
        play.do(who, "catalog", "register", dataset)
        pairs.append((name(who), dataset))
    play.do("supplier-00", "catalog", "describe", pairs[0][1], *text)
    play.do("supplier-00", "catalog", "update", pairs[0][1], *rows)
    play.do("manager", "quality", "measure", pairs[0][1], rows[2], DIGEST)
    _collect(play, [who for who, _dataset in pairs[::2]], text, rows, now_ms + 1000 * HOUR_MS)
    return pairs


def _collect(
    play: Play, suppliers: list[str], text: list[Value], rows: list[Value], due_ms: int
) -> None:
    """A demand that 16 suppliers collect for until no more fits, and one that is given up."""
    needs: list[Value] = [f"{number:02}" + wide(254) for number in range(32)]
    words: list[Value] = [wide(size) for size in (128, 128, 128, 512, 128, 2048, 512)]
    said = [*words, needs, name("operator")]
    order: list[Value] = [wide(1024), [*suppliers], wide(1024), due_ms]
    for demand in ("d", "e", "f"):
        play.do("consumer", "demand", "file", name(demand), *said)
        play.do("operator", "demand", "prescreen", name(demand), True, wide(1024))
        if demand != "d":
            play.do("manager", "demand", "collect", name(demand), *order)
    taken: list[Value] = []
    for number in range(32):
        who, dataset = f"supplier-{number // 2:02}", name(f"taken-{number:02}")
        play.do(who, "catalog", "draft", dataset, name("e"), *text)
        play.do(who, "catalog", "collect", dataset, *rows)
        play.do(who, "catalog", "register", dataset)
        taken.append(dataset)
    play.do("manager", "demand", "match", name("e"), wide(1024), taken)
    play.do("manager", "demand", "abandon", name("f"), wide(1024))


def work(
    play: Play,
    chain: Chain,
    ordered: tuple[Value, bytes, list[Value], bytes],
    *,
    report: tuple[str, list[Value]],
) -> None:
    """Jobs of as many steps and parties as may be: one to its end, sixteen for the revocation of
    the grant h, and some that end in other ways. `report` is a certificate, and what each says."""
    component, program, pairs, key = ordered
    names = [f"{number:02}".ljust(64, "s") for number in range(16)]
    kinds = ("cpu_millis", "memory_mib", "disk_mib", "bandwidth_kbps")
    resources: list[Value] = [[kind, 10**12] for kind in kinds]

    def steps(*, wide_graph: bool) -> list[Value]:
        return [
            {
                "name": step,
                "component": component,
                "program_hash": sm3.digest(program),
                "participants": pairs,
                "receiver_key": key,
                "after": [*names[:place]] if wide_graph else [],
                "resources": resources,
            }
            for place, step in enumerate(names)
        ]

    suppliers = [f"supplier-{number:02}" for number in range(16)]
    deadline_ms = chain.time_ms + 100 * HOUR_MS

    def queued(job: str, grant: str, plan: list[Value]) -> None:
        words: list[Value] = [name(job), wide(128), name(grant), 5, deadline_ms, plan]
        play.do("operator", "job", "create", *words)
        found = chain.view(account("operator"), "job", "show", name(job))
        assert isinstance(found, dict) and isinstance(found["job"], dict)
        for who in (*suppliers, "consumer"):
            play.do(who, "job", "confirm", name(job), found["job"]["digest"])

    def order(job: str, step: str, task: str, grant: str) -> None:
        words: list[Value] = [component, program, pairs, key, deadline_ms, name(job), step]
        play.do("operator", "task", "create", name(task), name(grant), *words)

    queued("whole", "g", steps(wide_graph=True))
    play.do("operator", "job", "dispatch", name("whole"))
    certificate, said = report
    for place, step in enumerate(names):
        order("whole", step, f"w{place}", "g")
        for who in suppliers:
            words: list[Value] = [name(f"w{place}"), wide(128), certificate, DIGEST]
            play.do(who, "task", "accept", *words)
        for who in suppliers:
            play.do(who, "task", "report", name(f"w{place}"), *said)
    play.do("operator", "job", "finish", name("whole"), DIGEST)
    play.do("consumer", "job", "verify", name("whole"), DIGEST, False, wide(1024))
    play.do("manager", "job", "close", name("whole"), wide(1024))
    for job, who, verb in (("c", "manager", "cancel"), ("a", "consumer", "abandon")):
        queued(job, "g", steps(wide_graph=False))
        play.do("operator", "job", "dispatch", name(job))
        for place, step in enumerate(names):
            order(job, step, f"{job}{place}", "g")
        play.do(who, "job", verb, name(job), wide(512))
    queued("e", "g", steps(wide_graph=False))
    # The revocation of h cancels them all, and as many tasks.
    for number in range(16):
        words = [name(f"h{number}"), wide(128), name("h"), 5, deadline_ms, steps(wide_graph=True)]
        play.do("operator", "job", "create", *words)
