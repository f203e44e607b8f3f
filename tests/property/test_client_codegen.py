"""Generated clients for drawn ABIs: they compile, keep values, and satisfy the tools."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.codegen.abi import parse_abi
from client.codegen.grammar import parse_type_text
from client.codegen.layout import WIDTH
from client.codegen.module import LONG_NAMES, render_client
from client.node import Outcome
from contracts.vm.types import show
from ledger.model import Event, Receipt, Transaction
from ledger.values import Value, decode_value, encode_value
from tests.abi_draws import abis, echo_abi, long_abi, record_types, types, values

ROOT = Path(__file__).resolve().parents[2]
SLOW = settings(max_examples=40, suppress_health_check=list(HealthCheck))


class Echo:
    """A session at a contract that gives back its only argument, and tells of it."""

    def call(
        self, contract: str, method: str, *args: Value, gas_limit: int | None = None
    ) -> Outcome:
        event = Event(contract, "Told", (("given", encode_value(args[0])),))
        receipt = Receipt(bytes(32), 0, 1, (event,), encode_value(args[0]), "", "")
        return Outcome(Transaction(b"", b""), receipt, 1, 0, None)

    def view(self, contract: str, method: str, *args: Value) -> Value:
        return decode_value(encode_value(args[0]))


def render(data: bytes) -> str:
    return render_client(parse_abi(data), class_name="ProbeClient", contract="probe")


@contextmanager
def imported(text: str) -> Iterator[Any]:
    """The module while it is used; dataclasses look theirs up by name."""
    module = ModuleType("generated_probe")
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, "generated_probe.py", "exec", dont_inherit=True), module.__dict__)
        yield module
    finally:
        del sys.modules[module.__name__]


@given(record_types().flatmap(lambda records: st.tuples(st.just(records), types(records))))
@SLOW
def test_types_read_back(drawn: Any) -> None:
    records, kind = drawn
    assert parse_type_text(show(kind), {record.name: record for record in records}) == kind


@given(abis())
@SLOW
def test_a_client_of_any_abi_runs_and_is_the_same_again(data: bytes) -> None:
    text = render(data)
    assert text == render(data)
    assert text.isascii()
    with imported(text) as module:
        client = module.ProbeClient(Echo())
    abi = parse_abi(data)
    methods = [method for method in abi.methods if method.kind != "init"]
    public = [name for name in vars(type(client)) if not name.startswith("_")]
    assert len(public) == len(methods)
    long = [line for line in text.splitlines() if len(line) > WIDTH and " " in line.strip()]
    assert not long or text.startswith(LONG_NAMES)


@st.composite
def echoes(draw: st.DrawFn) -> tuple[bytes, Value]:
    records = draw(record_types())
    kind = draw(types(records))
    return echo_abi(kind, records), draw(values(kind))


@given(echoes())
@SLOW
def test_values_come_back_as_they_went(drawn: tuple[bytes, Value]) -> None:
    data, value = drawn
    with imported(render(data)) as module:
        client = module.ProbeClient(Echo())
        typed = client.echo(value)  # from its outside form
        again = client.keep(typed)  # and from its typed one
        assert again.value == typed == client.echo(typed)
        assert encode_value(module.typed.encode(typed)) == encode_value(value)
        [event] = module.events_of(again.receipt)
        assert event == module.Told.from_value({"given": value})


def test_the_tools_of_the_house_have_nothing_to_say(tmp_path: Path) -> None:
    """One run of each for many modules, since each run takes a while to begin."""
    texts: set[str] = set()

    @given(abis())
    @settings(SLOW, derandomize=True, database=None)
    def gather(data: bytes) -> None:
        texts.add(render(data))

    gather()
    texts.update(render(long_abi(length)) for length in range(16, 65, 4))
    for number, text in enumerate(sorted(texts)):
        (tmp_path / f"probe_{number}.py").write_text(text, encoding="ascii")
    check_with_tools(sorted(map(str, tmp_path.iterdir())))


def check_with_tools(files: list[str]) -> None:
    options = ("--config", str(ROOT / "pyproject.toml"))
    for tool in (
        ("ruff", "format", "--no-cache", "--check", "--diff", *options),
        ("ruff", "check", "--no-cache", *options),
        ("mypy", "--config-file", options[1]),
    ):
        run = subprocess.run(
            [sys.executable, "-m", *tool, *files],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert run.returncode == 0, (tool, run.stdout, run.stderr)
