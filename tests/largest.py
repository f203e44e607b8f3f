"""The largest arguments that contracts take, for the test of what clients foresee."""

from __future__ import annotations

from typing import Protocol

from contracts.system.catalog import COLUMNS_MAX
from contracts.system.quality import MEASURES
from contracts.vm.testing import account
from crypto import sm2, sm3
from executors.images import publisher_message
from ledger.model import address_of
from ledger.values import Value
from tests.business import HOUR_MS, ROLES

ALGORITHM = "a" * 62 + "/1"
WIDE = "汉"  # three bytes of storage, four of memory: costs more than ASCII
DIGEST = sm3.digest(b"rows")


class Play(Protocol):
    """A chain on which people whose accounts are named make large calls."""

    def do(self, who: str, contract: str, method: str, *args: Value) -> None: ...


def wide(characters: int) -> str:
    return WIDE * characters


def name(text: str) -> str:
    """An id as long as ids may be."""
    return text.ljust(64, "x")


def vet(play: Play) -> None:
    """The longest description of an algorithm, signed by the last key that is looked at."""
    publisher = sm3.digest(b"publisher")
    accounts: list[Value] = [account(f"lab/{number}") for number in range(30)]
    accounts += [account("lab"), address_of(sm2.public_key(publisher))]
    roles: list[Value] = [other for other in ROLES if other != "tech_provider"]
    words: list[Value] = [name("lab"), wide(128), [*roles, "tech_provider"], accounts]
    play.do("manager", "parties", "register", *words)
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
            signature = sm2.sign(publisher, message)
            images.append([wide(256), *image, sm2.public_key(publisher), signature])
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
    said = [*words, needs]
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
