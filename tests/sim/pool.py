"""Runs spread over processes. What one does depends on its item alone."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def results(
    run: Callable[[Item], Result], items: Iterable[Item], *, jobs: int, chunk: int
) -> Iterator[Result | str]:
    """What `run` made of each item, in order; the report of the first failure ends it.

    `run` must be importable by name from a module other than a package's __main__: the fresh
    processes, with which no thread or patched function of ours goes, import it anew.
    """
    if jobs <= 1:
        yield from _until_failure(map(partial(attempt, run), items))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from _until_failure(pool.map(partial(attempt, run), items, chunksize=chunk))
        finally:
            pool.shutdown(cancel_futures=True)


def attempt(run: Callable[[Item], Result], item: Item) -> Result | str:
    """What `run` returned, or how it failed."""
    try:
        return run(item)
    except Exception:  # also our own mistakes are reported with the item that shows them
        return traceback.format_exc()


def _until_failure(every: Iterator[Result | str]) -> Iterator[Result | str]:
    for result in every:
        yield result
        if isinstance(result, str):
            return
