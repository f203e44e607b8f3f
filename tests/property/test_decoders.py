"""Every decoder of untrusted bytes: they decode to what encodes to them, or raise one error.

The decoders are found by their names, so that a new one is tried without anybody's doing.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from types import ModuleType
from typing import get_args, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.vm.engine_schedule import ScheduleDamaged
from ledger.encoding import decode, encode
from ledger.errors import DecodeError
from ledger.model import Record
from tests.record_draws import damaged, drawn

PACKAGES = ("client", "consensus", "contracts", "ledger", "node", "p2p")
AT_LEAST = 15  # decoders that there were when this was written
# More arguments than the bytes.
EXTRA: dict[str, tuple[object, ...]] = {"node.backup.form.decode_run": (5,)}
# Bytes that only the node itself wrote: damage has an error of its own.
ERRORS: dict[str, type[Exception]] = {
    "contracts.vm.engine_schedule.decode_schedule": ScheduleDamaged,
}
SIZE_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Decoder:
    name: str
    decode: Callable[..., object]
    encode: Callable[[object], bytes] | None  # the other way round, where the module has it
    kinds: tuple[object, ...]  # types of records that it may give

    def __call__(self, data: bytes) -> object:
        return self.decode(data, *EXTRA.get(self.name, ()))


def _modules() -> Iterator[ModuleType]:
    for name in PACKAGES:
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, name + "."):
            if "__main__" not in found.name:
                yield importlib.import_module(found.name)


def _decoders() -> Iterator[Decoder]:
    for module in _modules():
        for name, function in vars(module).items():
            if not (inspect.isfunction(function) and name.startswith("decode_")):
                continue
            if function.__module__ != module.__name__:
                continue
            hints = get_type_hints(function)
            if next(iter(hints.values())) is not bytes:
                continue
            other = vars(module).get("en" + name.removeprefix("de"))
            takes_one = other is not None and len(inspect.signature(other).parameters) == 1
            result = hints["return"]
            kinds = get_args(result) or (result,)
            yield Decoder(
                f"{module.__name__}.{name}",
                function,
                other if takes_one else None,
                tuple(kind for kind in kinds if _is_record(kind)),
            )


def _records(kind: type[Record]) -> Iterator[type[Record]]:
    """All types of canonical records of the packages that are read by now."""
    for found in kind.__subclasses__():
        yield from _records(found)
        if found.__module__.partition(".")[0] in PACKAGES:
            yield found


def _is_record(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


DECODERS = {decoder.name: decoder for decoder in _decoders()}
RECORDS = sorted(_records(Record), key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


def attempt(decoder: Decoder, data: bytes) -> object:
    """What `data` decodes to, or the one error; anything else fails the test."""
    try:
        found = decoder(data)
    except ERRORS.get(decoder.name, DecodeError) as error:
        assert str(error), "an error says what is wrong"
        return error
    if decoder.encode is not None:
        assert decoder.encode(found) == data, "one value, one string of bytes"
    return found


def test_the_decoders_are_found() -> None:
    assert len(DECODERS) >= AT_LEAST
    for name in ("node.peer_messages.decode_blocks_message", "ledger.access.decode_header"):
        assert name in DECODERS


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=60)
@given(data=st.binary(max_size=400))
def test_any_bytes_decode_or_raise_the_one_error(name: str, data: bytes) -> None:
    attempt(DECODERS[name], data)


@pytest.mark.parametrize("name", [name for name, found in DECODERS.items() if found.kinds])
@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=False))
def test_drawn_records_and_their_damaged_bytes_decode_or_raise_the_one_error(
    name: str, random: Random
) -> None:
    decoder = DECODERS[name]
    value = drawn(random, random.choice(decoder.kinds))
    try:
        data = (decoder.encode or encode)(value)
    except (OverflowError, AssertionError):
        return  # what no encoder would write has no bytes to be read
    attempt(decoder, data)
    attempt(decoder, damaged(random, data))


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=False))
def test_every_record_is_what_its_bytes_say_or_has_none(random: Random) -> None:
    kind = random.choice(RECORDS)
    value = drawn(random, kind)
    try:
        data = encode(value)
    except OverflowError:
        return
    for tried in (data, damaged(random, data)):
        try:
            found = decode(tried, kind, size_max=SIZE_MAX)
        except DecodeError:
            continue
        assert encode(found) == tried
        assert tried != data or found == value


def test_there_are_records_to_draw() -> None:
    assert len(RECORDS) > 60
