"""Files that somebody else hands over for a command: they are read, or refused by one error."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.applications import (
    FORMAT,
    Application,
    ApplicationInvalid,
    Signed,
    load,
    message_of,
    save,
)
from crypto import sm2
from executors.deident.plan import PlanInvalid, parse_plan
from executors.deident.report import FORM, ReportInvalid, parse_report
from ledger.model import address_of

KEY = sm2.generate()
CHAIN = bytes(32)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=80) | st.floats()
JSON = st.recursive(
    LEAVES,
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.text(), deeper, max_size=3),
    max_leaves=6,
)
HEX = st.sampled_from(["", "00", "zz", "ab" * 31, "ab" * 64, "00" * 64, "ff" * 64, "ab" * 65])
REPORT = {
    "form": FORM,
    "kind": "rows",
    "file_sm3": "ab" * 32,
    "k": 20,
    "risk_max_ppm": 50_000,
    "risk_mean_ppm": 40_000,
    "threshold_ppm": 50_000,
    "level": 3,
    "methods": ["k-anonymity"],
}
PLAN = b'[table]\nk = 5\nkind = "rows"\n[columns.age]\nclass = "quasi"\ndo = "range:10"\n'

quick = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def signed() -> Signed:
    public = sm2.public_key(KEY)
    accounts = (address_of(public),)
    asked = Application("a1", "lab", "Lab", "", ("consumer",), accounts, CHAIN, "opco", 10**13)
    return Signed(asked, CHAIN, {public: sm2.sign(KEY, message_of(asked, CHAIN))})


def read_or_refused(parse: Callable[[bytes], object], data: bytes, error: type[Exception]) -> None:
    with contextlib.suppress(error):
        parse(data)


def altered(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    found = bytearray(data)
    for place, byte in changes:
        found[place % len(found)] = byte
    return bytes(found)


bytes_put = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6)


@quick
@given(name=st.sampled_from(["format", "chain", "id", "name", "roles", "accounts", "documents",
                             "sponsor", "expires_ms", "signatures"]),
       value=JSON | HEX, pair=st.tuples(HEX, HEX) | st.none(), changes=bytes_put)  # fmt: skip
def test_an_application_is_read_or_refused(
    tmp_path: Path,
    name: str,
    value: object,
    pair: tuple[str, str] | None,
    changes: list[tuple[int, int]],
) -> None:
    path = tmp_path / "a1.json"
    save(signed(), path)
    good = path.read_bytes()
    content = json.loads(good)
    assert content["format"] == FORMAT and load(path).application.party == "lab"
    content[name] = value
    if pair is not None:
        content["signatures"] = [dict(zip(("public_key", "signature"), pair, strict=True))]
    for data in (json.dumps(content).encode(), altered(good, changes)):
        path.write_bytes(data)
        read_or_refused(lambda _data: load(path), data, ApplicationInvalid)


@quick
@given(name=st.sampled_from([*REPORT, "findings"]), value=JSON, changes=bytes_put)
def test_a_report_is_read_or_refused(
    name: str, value: object, changes: list[tuple[int, int]]
) -> None:
    good = json.dumps(REPORT).encode()
    assert parse_report(good).level == 3
    for data in (json.dumps({**REPORT, name: value}).encode(), altered(good, changes)):
        read_or_refused(parse_report, data, ReportInvalid)


@quick
@given(changes=bytes_put, other=st.binary(max_size=200))
def test_a_plan_is_read_or_refused(changes: list[tuple[int, int]], other: bytes) -> None:
    assert parse_plan(PLAN).k == 5
    for data in (altered(PLAN, changes), other, PLAN + other):
        read_or_refused(parse_plan, data, PlanInvalid)


def test_what_is_too_large_is_refused_before_it_is_read_whole() -> None:
    with pytest.raises(PlanInvalid, match="KiB"):
        parse_plan(b" " * ((256 << 10) + 1))
    with pytest.raises(ReportInvalid, match="MiB"):
        parse_report(b" " * ((1 << 20) + 1))
