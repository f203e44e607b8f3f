"""Scenarios drawn from seeds.

The early seeds are drawn while they run (`scenario.run`) and keep their meaning; those from
SCRIPTED_FROM on are drawn first, as values (`script`), and can be shrunk.
"""

from __future__ import annotations

from random import Random
from typing import get_args

from consensus.pbft.messages import Message
from tests.sim import scenario
from tests.sim.scenario import Outcome
from tests.sim.script import (
    KINDS,
    ClockJump,
    ClockStop,
    Crash,
    Cut,
    Fault,
    Mood,
    Scenario,
    Slow,
    Tear,
    execute,
)

SCRIPTED_FROM = 3_000
# Of ten seeds four have 4 replicas and three have 7; the other sizes have quorums of other shape.
SIZES = (4, 7, 4, 5, 7, 4, 6, 7, 4, 10)
LIARS_SHARE = 0.6
CLOCK_JUMP_MS_MAX = 60_000
SKEW_MS_MAX = 2_000
MESSAGES = tuple(kind.__name__ for kind in get_args(Message))


def run(seed: int) -> Outcome:
    """Draw the scenario of `seed`, run it, check it. Raises Violation."""
    return execute(draw(seed)) if seed >= SCRIPTED_FROM else scenario.run(seed)


def draw(seed: int) -> Scenario:
    """The scenario of a seed that is not early."""
    assert seed >= SCRIPTED_FROM
    random = Random(seed)
    size = SIZES[seed % len(SIZES)]
    duration_ms = random.randint(3_000, 9_000)
    is_foul = random.random() < 0.5  # the weather
    return Scenario(
        seed=seed,
        size=size,
        duration_ms=duration_ms,
        every_ms=random.choice((30, 100, 400)),
        liars=_liars(random, size),
        skews_ms=tuple(random.randint(-SKEW_MS_MAX, SKEW_MS_MAX) for _ in range(size)),
        loss=random.choice((0.0, 0.02, 0.1, 0.3)) if is_foul else 0.0,
        duplication=random.choice((0.0, 0.1)) if is_foul else 0.0,
        delay_ms_max=random.choice((5, 20, 100, 400)) if is_foul else 20,
        rotate_every=random.choice((4, 16, 1_000)),
        faults=_faults(random, size, duration_ms),
    )


def _liars(random: Random, size: int) -> tuple[tuple[int, str], ...]:
    if random.random() >= LIARS_SHARE:
        return ()
    fault_bound = (size - 1) // 3
    chosen = sorted(random.sample(range(size), random.randint(1, fault_bound)))
    return tuple((index, random.choice(list(KINDS))) for index in chosen)


def _faults(random: Random, size: int, duration_ms: int) -> tuple[Fault, ...]:
    faults: list[Fault] = []
    for _ in range(random.randint(0, 5)):
        faults += _fault(random, size, at_ms=random.randrange(duration_ms))
    if random.random() < 0.5:
        at_ms = 0
        while at_ms < duration_ms:
            faults.append(_mood(random, size, at_ms))
            at_ms += random.randint(200, 2_000)
    return tuple(sorted(faults, key=lambda fault: fault.at_ms))


def _fault(random: Random, size: int, *, at_ms: int) -> list[Fault]:
    node = random.randrange(size)
    for_ms = random.randint(300, 5_000)
    kind = random.choice(
        ("crash", "tear", "all", "cut", "one way", "flap", "jump", "jump", "stop", "slow")
    )
    match kind:
        case "crash":
            return [Crash(at_ms, node, down_ms=for_ms)]
        case "tear":
            return [Tear(at_ms, node, effects=random.randrange(30), down_ms=for_ms)]
        case "all":
            return [Crash(at_ms, one, down_ms=random.randint(0, 3_000)) for one in range(size)]
        case "cut":
            return [Cut(at_ms, for_ms, _some(random, size))]
        case "one way":
            return [Cut(at_ms, for_ms, _some(random, size), way=random.choice(("in", "out")))]
        case "flap":
            way = random.choice(("both", "in", "out"))
            period_ms = random.choice((50, 300, 1_500))
            return [Cut(at_ms, for_ms, _some(random, size), way, period_ms)]
        case "jump":
            by_ms = random.randint(-CLOCK_JUMP_MS_MAX, CLOCK_JUMP_MS_MAX)
            return [ClockJump(at_ms, node, by_ms // random.choice((1, 20)))]
        case "stop":
            return [ClockStop(at_ms, for_ms, node)]
    return [Slow(at_ms, for_ms, node, execution_ms_max=random.choice((200, 1_000)))]


def _mood(random: Random, size: int, at_ms: int) -> Mood:
    """Even loss seldom leaves a proposal prepared on two and committed on one; this does."""
    kinds = random.sample(MESSAGES, 2)
    return Mood(
        at_ms,
        for_ms=random.randint(100, 1_500),
        to=tuple((kind, index) for kind in kinds for index in _some(random, size)),
        by=tuple(
            (random.choice(MESSAGES), random.randrange(size)) for _ in range(random.randint(0, 2))
        ),
    )


def _some(random: Random, size: int) -> tuple[int, ...]:
    return tuple(sorted(random.sample(range(size), random.randint(1, size - 1))))
