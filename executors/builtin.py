"""The algorithms that come with this software: what the chain is told of them (clause 8.5c).

Their image is the engine's package as it is installed: an executor compares it with the builds
that a manager approved before it takes part in a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

from contracts.bundle import GenesisAlgorithm
from executors.images import Image, image_of
from executors.mpc.program import ALGORITHM as STATISTICS


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """`package` holds the engine; parameters are name, type and meaning, as a program has them."""

    title: str
    kind: str
    package: str
    parameters: tuple[tuple[str, str, str], ...]


BUILT_IN: Final[Mapping[str, BuiltIn]] = MappingProxyType(
    {
        STATISTICS: BuiltIn(
            "Joint statistics of three parties (联合统计)",
            "mpc",
            "executors.mpc",
            (
                ("measures", "list", "columns, each with decimals, bits, statistics, quantiles"),
                ("rows", "list of int", "at most so many rows of each participant"),
                ("group_by", "text", "the column that groups the rows; empty: one group"),
                ("groups", "list of text", "the public dictionary of group_by"),
                ("counts", "bool", "also count the rows of each group"),
                ("group_size_min", "int", "smaller groups are suppressed inside the computation"),
            ),
        )
    }
)


def installed_image(algorithm: str) -> Image:
    """The image of a built-in algorithm as it is installed here and now: files may be exchanged
    while a daemon runs, and its subprocesses load what is there. Raises ImageInvalid."""
    return image_of(Path(str(resources.files(BUILT_IN[algorithm].package))))


def built_in() -> tuple[GenesisAlgorithm, ...]:
    """All of them, as a genesis takes them."""
    return tuple(described(algorithm) for algorithm in BUILT_IN)


def described(algorithm: str) -> GenesisAlgorithm:
    """One of them, with the image that is installed here. Raises ImageInvalid."""
    known, image = BUILT_IN[algorithm], installed_image(algorithm)
    return GenesisAlgorithm(
        id=algorithm,
        title=known.title,
        kind=known.kind,
        parameters=known.parameters,
        location=f"built in: {known.package}",
        digest=image.digest,
        layout_digest=image.layout_digest,
    )
