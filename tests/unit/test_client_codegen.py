"""Generated clients: an example word for word, every system contract, and a contract in use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import main
from client import typed
from client.errors import Refused
from client.node import ChainEvent, Outcome
from contracts.bundle import SYSTEM_CONTRACTS
from contracts.vm.abi import extract
from contracts.vm.limits import SOURCE_SIZE_MAX
from contracts.vm.testing import account
from ledger.values import decode_value
from tests import archive_client
from tests.archive_client import ArchiveClient, Forgotten, Item, ItemEvent, Opened, Place
from tests.business import Business
from tests.machine_session import MachineSession

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "archive_contract.py"
ITEM = Item(
    id="i1",
    content=b"\x00\xff",
    places=[Place(shelf=2**200, box=None), Place(shelf=-1, box=3)],
    sizes={"cm": 4},
    span=(1, 2),
    note=None,
)


@pytest.fixture
def business() -> Business:
    """With the archive deployed by the operator, through the generated function."""
    made = Business()
    session = MachineSession(made, "opco")
    called = archive_client.deploy(session, SOURCE.read_text(), "keeper", [1, 2])
    assert called.receipt.status == 0
    return made


def archive(business: Business, who: str) -> ArchiveClient:
    return ArchiveClient(MachineSession(business, who))


# --- the text -------------------------------------------------------------------------------


def test_the_example_is_what_is_generated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = (ROOT / "tests" / "archive_client.py").read_text()
    options = ["--contract", "archive", "--class", "ArchiveClient"]
    assert main(["contract", "client", str(SOURCE), *options]) == 0
    assert capsys.readouterr().out == golden
    abi = tmp_path / "archive.abi.json"
    abi.write_text(extract(SOURCE.read_text()))
    output = tmp_path / "out.py"
    output.write_text("an earlier one")
    assert main(["contract", "client", str(abi), "--output", str(output), "--json"]) == 0
    assert output.read_text() == golden, "names by default are those of the file"
    told = json.loads(capsys.readouterr().out)
    assert (told["class"], told["contract"], told["events"]) == ("ArchiveClient", "archive", 3)


def test_clients_of_the_system_contracts_are_typed_and_in_the_house_style(tmp_path: Path) -> None:
    for name in SYSTEM_CONTRACTS:
        source = ROOT / "contracts" / "system" / f"{name}.py"
        output = str(tmp_path / f"{name}_client.py")
        assert main(["contract", "client", str(source), "--output", output]) == 0
        assert main(["contract", "client", str(source), "--output", f"{output}.again"]) == 0
        assert Path(output).read_text() == Path(f"{output}.again").read_text()
    files = [str(path) for path in sorted(tmp_path.glob("*.py"))]
    assert len(files) == len(SYSTEM_CONTRACTS)
    settings = str(ROOT / "pyproject.toml")
    for tool in (
        ("mypy", "--config-file", settings),
        ("ruff", "check", "--no-cache", "--config", settings),
        ("ruff", "format", "--no-cache", "--check", "--config", settings),
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


# --- in use ---------------------------------------------------------------------------------


def test_calls_and_views_are_typed(business: Business) -> None:
    client = archive(business, "health")
    called = client.store(ITEM, gas_limit=5_000_000)
    assert called.value == (account("health"), 2)
    assert called.height > 0 and called.receipt.gas_used > 0, "it is an outcome, too"
    assert client.find("i1") == ITEM
    assert client.find("i2") is None
    assert client.list_(["i1", "i1"]) == [ITEM, ITEM]
    assert client.import_() == "keeper"
    expected = {("i1", True): [ITEM], ("i9", False): [None]}
    assert client.grouped([("i1", True), ("i9", False)]) == expected


def test_a_refusal_keeps_its_sentence(business: Business) -> None:
    client = archive(business, "health")
    client.store(ITEM)
    with pytest.raises(Refused, match="name yourself"):
        client.forget("i1", account("bank"))
    assert client.forget("i1", account("health")).value is None
    with pytest.raises(Refused, match="missing_key"):
        client.list_(["i1"])


def test_events_are_typed(business: Business) -> None:
    client = archive(business, "health")
    stored = client.store(ITEM)
    assert archive_client.events_of(stored.receipt) == [
        ItemEvent(id="i1", places=ITEM.places, at=(stored.height, None))
    ]
    forgotten = client.forget("i1", account("health"))
    assert archive_client.events_of(forgotten.receipt) == [Forgotten(by=account("health"))]
    assert archive_client.events_of(stored.receipt, "another") == []


def test_events_of_a_stream_are_typed() -> None:
    fields: dict[str, typed.Value] = {"name": "n", "shelves": [1]}
    event = ChainEvent(1, 0, bytes(32), "archive", "Opened", fields, 0)
    assert archive_client.event_of(event) == Opened(name="n", shelves=[1])
    assert archive_client.event_of(event, "another") is None
    unknown = ChainEvent(1, 0, bytes(32), "archive", "Closed", {}, 0)
    assert archive_client.event_of(unknown) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"shelf": 1},
        {"shelf": 1, "box": None, "more": 1},
        {"shelf": True, "box": None},
        {"shelf": "1", "box": None},
        {"shelf": 1, "box": b""},
    ],
)
def test_a_value_of_another_type_is_refused(value: typed.Value) -> None:
    with pytest.raises(typed.ValueMisfit, match="shuxin contract client"):
        Place.from_value(value)


def test_every_decoder_refuses_what_it_does_not_decode() -> None:
    decoders = {
        "int": typed.integer,
        "bool": typed.boolean,
        "str": typed.text,
        "bytes": typed.octets,
        "None": typed.nothing,
        "list": typed.list_of(typed.integer),
        "dict": typed.dict_of(typed.text, typed.integer),
    }
    samples: dict[str, typed.Value] = {
        "int": 1,
        "bool": True,
        "str": "",
        "bytes": b"",
        "None": None,
        "list": [1],
        "dict": {"a": 1},
    }
    for expected, decode in decoders.items():
        for name, value in samples.items():
            if name == expected:
                assert decode(value) == value
            else:
                with pytest.raises(typed.ValueMisfit):
                    decode(value)
    with pytest.raises(typed.ValueMisfit, match="a tuple of 2"):
        typed.parts([1], 2)


def test_what_is_no_contract_value_is_not_sent(business: Business) -> None:
    odd = Item("i1", b"", [], {"x": 1.5}, (1, 2), None)  # type: ignore[dict-item]  # on purpose
    with pytest.raises(TypeError, match="float"):
        archive(business, "health").store(odd)


def test_deployment_encodes_the_arguments_of_init() -> None:
    business = Business()
    seen: list[tuple[object, ...]] = []

    class Listening(MachineSession):
        def call(
            self, contract: str, method: str, *args: typed.Value, gas_limit: int | None = None
        ) -> Outcome:
            given = args[2]
            assert isinstance(given, bytes)
            seen.append((contract, method, args[0], decode_value(given), gas_limit))
            return super().call(contract, method, *args, gas_limit=gas_limit)

    session = Listening(business, "opco")
    text = SOURCE.read_text()
    archive_client.deploy(session, text, "k", [7], contract="other", gas_limit=9_000_000)
    assert seen == [("contract", "deploy", "other", ["k", [7]], 9_000_000)]


# --- the command ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--class", "class"), "contract.class"),
        (("--class", "a b"), "contract.class"),
        (("--class", "X:\n    pass\nimport os\nclass Y"), "contract.class"),
        (("--class", "typed"), "contract.class"),
        (("--class", "A" * 65), "contract.class"),
        (("--contract", 'x"; import os #'), "contract.name"),
        (("--contract", "X"), "contract.name"),
    ],
)
def test_names_are_checked(
    options: tuple[str, ...], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["contract", "client", str(SOURCE), *options, "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["refused"]["code"] == code


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.json", b"", "abi_invalid"),
        ("a.json", b"[" * 100_000, "abi_invalid"),
        ("a.py", b"{}", "abi_invalid"),
        ("a.py", b"x = (", "source_refused"),
        ("a.py", b"#" * (SOURCE_SIZE_MAX + 1), "source_refused"),
        ("a.py", b"#" * (1 << 21), "file.size"),
        ("a.json", b'"\xff"', "file.text"),
        ("9.py", b"", "contract.name"),
    ],
)
def test_a_file_that_is_neither_writes_nothing(
    name: str, content: bytes, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    output = tmp_path / "out.py"
    words = ["contract", "client", str(tmp_path / name), "--output", str(output), "--json"]
    assert main(words) == 1
    assert json.loads(capsys.readouterr().err)["refused"]["code"] == code
    assert not output.exists()
