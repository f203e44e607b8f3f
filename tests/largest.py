"""The largest arguments that contracts take, for the test of what clients foresee."""

from __future__ import annotations

from typing import Protocol

from contracts.vm.testing import account
from crypto import sm2, sm3
from executors.images import publisher_message
from ledger.model import address_of
from ledger.values import Value
from tests.business import ROLES

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
