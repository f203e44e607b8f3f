"""Every method and event of the genesis' contracts names its subjects, or says that it has none."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bundle import SYSTEM_CONTRACTS, system_sources
from contracts.vm import engine_calls, lifecycle
from contracts.vm.abi import extract
from contracts.vm.code_records import CONTRACT
from contracts.vm.code_records import EVENTS as STEPS
from contracts.vm.testing import Chain, account
from ledger.values import Value
from node.audit.acts.events import EVENTS
from node.audit.acts.forms import (
    ALGORITHM,
    DATASETS,
    FORMS,
    GRANT,
    KINDS,
    MADE,
    PARTICIPANTS,
    named,
)
from node.audit.acts.interfaces import MACHINE
from node.audit.acts.lineage import Lineage
from node.audit.acts.plain import PLAIN
from node.audit.acts.subjects import CALLS


@cache
def interface(contract: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Calls with their parameters, events with their fields."""
    abi = json.loads(extract(dict(system_sources())[contract]))
    calls = {
        method["name"]: [parameter["name"] for parameter in method["parameters"]]
        for method in abi["methods"]
        if method["kind"] == "call"
    }
    events = {
        event["name"]: [field["name"] for field in event["fields"]] for event in abi["events"]
    }
    return calls, events


@pytest.mark.parametrize("contract", SYSTEM_CONTRACTS)
def test_every_argument_and_field_is_a_subject_or_said_to_be_none(contract: str) -> None:
    for declared, table in zip(interface(contract), (CALLS, EVENTS), strict=True):
        assert sorted(declared) == sorted(table[contract]), "one is new, or is gone"
        for name, fields in declared.items():
            subjects = table[contract][name]
            assert set(subjects) <= set(fields), f"{contract}.{name} has no such field"
            unsaid = set(fields).difference(subjects, PLAIN)
            assert not unsaid, f"{contract}.{name}: subject or plain? {sorted(unsaid)}"


def test_the_machine_takes_and_tells_what_the_tables_say() -> None:
    """It has no source; what it takes stands at the head of its modules."""
    head = f"{lifecycle.__doc__}{engine_calls.__doc__}"
    declared = {
        name: tuple(re.findall(r"(\w+):", parameters))
        for name, parameters in re.findall(r"(?m)(?:^ {4}|  )(\w+)\(([^)]*)\)(?! ->)", head)
    }
    assert declared == MACHINE
    chain = Chain()
    for method in MACHINE:
        found = chain.call(account("anybody"), CONTRACT, method, *[None] * 9)
        assert found.error == "bad_arguments", "the machine has this method"
    assert sorted(CALLS[CONTRACT]) == sorted(MACHINE)
    for method, subjects in CALLS[CONTRACT].items():
        assert set(subjects) <= set(MACHINE[method])
        assert set(MACHINE[method]) <= PLAIN.union(subjects)
    assert set(STEPS.values()) <= set(EVENTS[CONTRACT])


def test_the_tables_are_about_the_contracts_of_the_genesis_alone() -> None:
    assert set(CALLS) == set(EVENTS) == {*SYSTEM_CONTRACTS, CONTRACT}
    forms = {
        form
        for table in (CALLS, EVENTS)
        for methods in table.values()
        for names in methods.values()
        for form in names.values()
    }
    assert forms <= FORMS
    idle = PLAIN.difference(
        *(
            fields
            for one in SYSTEM_CONTRACTS
            for part in interface(one)
            for fields in part.values()
        ),
        *MACHINE.values(),
        {
            "rule_hash",
            "step",
            "sequence",
            "code_hash",
            "status",
            "reason",
            "from_height",
            "vm_version",
        },
    )
    assert not idle, "nothing has these names any more"


@pytest.mark.parametrize("text", ["statistics", "a/", "/1", "a/b/c", "A/1", "a" * 64 + "/1"])
def test_an_algorithm_is_named_with_its_version(text: str) -> None:
    assert list(named(ALGORITHM, text)) == []
    assert list(named(ALGORITHM, "a" * 62 + "/1")) == [("algorithm", "a" * 62 + "/1")]
    assert list(named(GRANT, "a/1")) == []


def test_a_value_names_what_its_form_says() -> None:
    assert list(named(GRANT, "g1")) == [("grant", "g1")]
    assert list(named(DATASETS, ["a", "b"])) == [("dataset", "a"), ("dataset", "b")]
    pairs: Value = [["health", "a"], ["social", "b"]]
    assert list(named(PARTICIPANTS, pairs)) == [
        ("party", "health"),
        ("dataset", "a"),
        ("party", "social"),
        ("dataset", "b"),
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(st.sampled_from(sorted(FORMS)), values)
def test_no_value_names_anything_but_ids(form: str, value: Value) -> None:
    for kind, name in named(form, value):
        assert kind in KINDS
        assert 1 <= len(name) <= 64 and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.")


def test_a_share_of_a_collection_is_about_its_demand() -> None:
    lineage = Lineage()
    lineage.follow("demand", "file", {"demand_id": "d1"}, "insurer")
    assert list(lineage.about("d1/health")) == list(lineage.about("d1")) == [("demand", "d1")]
    assert list(lineage.about("d2/health")) == list(lineage.about("d1-health")) == []


def test_work_names_what_it_is_and_a_commission_what_it_is_about() -> None:
    made: Value = [["product", "p1"], ["algorithm", "a/1"], ["task-list", "t"], ["asset"], "p2"]
    assert list(named(MADE, made)) == [("product", "p1"), ("algorithm", "a/1")]
    lineage = Lineage()
    lineage.follow("product", "register", {"product_id": "p1", "task_id": "t1"}, "opco")
    lineage.follow("asset", "register", {"asset_id": "hsm-1"}, "opco")
    about: dict[str, Value] = {"commission_id": "k1", "about": "product", "subject": "p1"}
    lineage.follow("commission", "offer", about, "opco")
    lineage.follow("commission", "offer", {**about, "commission_id": "k2", "about": ""}, "opco")
    assert list(lineage.about("k1")) == [("commission", "k1")]
    assert list(lineage.about("hsm-1")) == [("asset", "hsm-1")]
    through = [("product", "p1"), ("task", "t1")]
    assert list(lineage.through(("commission", "k1"))) == through
    assert list(lineage.through(("commission", "k2"))) == []
