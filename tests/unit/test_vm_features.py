"""The gate of the languages: what a later one adds is refused before; nothing else changes."""

from __future__ import annotations

import ast
from functools import partial
from pathlib import Path

import pytest

from contracts.bundle import system_sources
from contracts.vm import features, limits, prices, version
from contracts.vm.abi import describe, extract
from contracts.vm.apply import Machine
from contracts.vm.check import check_source
from contracts.vm.compile import Compiled, compile_source
from contracts.vm.features import FEATURES, LANGUAGES, LATEST, LanguageUnknown
from contracts.vm.guard_names import GUARDS
from contracts.vm.ranges import page_in
from contracts.vm.rules import RULES, Findings

OLD = """
from contracts.dialect import Map, call, ctx, emit, record, require, view

@record
class Item:
    text: str
    count: int = 2

items = Map(str, Item)

@call
def put(key: str, count: int) -> None:
    require(count > 0 and ctx.sender != "", "no")
    items[key] = Item(text=f"{key}{ctx.height}", count=count // 2)
    emit("Put", key=key)

@view
def show(key: str) -> list[Item]:
    return [items[key] for i in range(2)]
"""


def plain(compiled: Compiled) -> object:
    """All that decides what the contract does, comparable."""
    functions = {
        name: (code.co_code, code.co_consts, code.co_names, code.co_varnames)
        for name, code in compiled.functions.items()
    }
    return functions, compiled.sites, compiled.context, compiled.accesses, describe(compiled)


@pytest.mark.parametrize("language", [0, LATEST + 1, -1])
def test_a_language_of_no_release_is_refused(language: int) -> None:
    with pytest.raises(LanguageUnknown, match="install the chain's release"):
        compile_source(OLD, language)
    with pytest.raises(LanguageUnknown):
        check_source(OLD, language)
    with pytest.raises(LanguageUnknown):
        extract(OLD, language)
    with pytest.raises(LanguageUnknown):
        Machine(lambda keys: [None] * len(keys), partial(page_in, {}), language)
    with pytest.raises(LanguageUnknown):
        version.vm_version(language)


def test_a_name_to_import_may_be_a_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `emit` had come with the second language: the import is what is refused."""
    later = features.Feature(2, "emit()", imports=frozenset({"emit"}))
    monkeypatch.setattr(features, "FEATURES", {"emit": later})
    assert features.feature_of_import("emit") == "emit"
    assert features.feature_of_import("require") is None
    (found,) = [one for one in check_source(OLD, 1) if one.rule == "N006"]
    assert (found.line, found.severity) == (2, "error")
    assert found.reason == "emit(): from language 2 on; this chain's is 1"
    assert "N006" not in {one.rule for one in check_source(OLD, 2)}


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_refused_before_its_language_and_named(name: str) -> None:
    feature = FEATURES[name]
    node = ast.parse("x", mode="eval").body
    for language in LANGUAGES:
        findings = Findings()
        admitted = features.admit(findings, language, name, node)
        assert admitted is (language >= feature.since) is features.has(language, name)
        assert [f.rule for f in findings.items] == ([] if admitted else ["N006"])
        assert admitted or (feature.what in findings.items[0].reason and findings.error_count == 1)


def told(source: str, language: int) -> list[str]:
    found = check_source(source, language)
    return [f"{f.line}:{f.column} {f.rule} {f.reason}" for f in found if f.severity == "error"]


def test_the_compiler_asks_where_it_meets_a_feature() -> None:
    source = (
        "from contracts.dialect import ctx, view\n@view\ndef f() -> str:\n    return ctx.party\n"
    )
    reason = "ctx.party and ctx.roles: from language 2 on; this chain's is 1"
    assert told(source, 1) == [f"4:11 N006 {reason}"]
    assert told(source, 2) == []


def test_the_compiler_asks_for_what_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = features.Feature(2, "hashes", imports=frozenset({"sm3"}))
    monkeypatch.setitem(FEATURES, "hashes", hashes)
    source = "from contracts.dialect import Var\nfrom contracts.dialect import sm3\nx = Var(int)\n"
    assert told(source, 1) == ["2:0 N006 hashes: from language 2 on; this chain's is 1"]
    assert told(source, 2) == []


def test_every_language_but_the_first_adds_something() -> None:
    assert tuple(range(1, LATEST + 1)) == LANGUAGES
    assert {feature.since for feature in FEATURES.values()} == set(LANGUAGES[1:])
    assert list(features.later(1)) == list(FEATURES.values())
    assert list(features.later(LATEST)) == []


BENCH = Path(__file__).parents[2] / "bench" / "contracts"
SAMPLES = {
    "old": OLD,
    **dict(system_sources()),
    **{path.stem: path.read_text() for path in BENCH.glob("*.py") if path.stem != "__init__"},
}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_an_old_contract_is_the_same_under_every_later_language(name: str) -> None:
    source = SAMPLES[name]
    first = plain(compile_source(source, 1))
    for language in LANGUAGES[1:]:
        assert plain(compile_source(source, language)) == first
        assert check_source(source, language) == check_source(source, 1)


@pytest.mark.parametrize("name", sorted(dict(system_sources())))
def test_the_system_contracts_deploy_on_every_chain(name: str) -> None:
    assert check_source(dict(system_sources())[name], 1) == []


def test_the_names_of_the_engine_differ_and_the_latest_is_this_releases() -> None:
    names = [version.vm_version(language) for language in LANGUAGES]
    assert len(set(names)) == len(LANGUAGES)
    assert list(version.VM_VERSIONS) == names
    assert names[-1] == version.VM_VERSION
    for language, name in zip(LANGUAGES, names, strict=True):
        assert name.startswith(f"shuxin-vm/{language}+cpython-")


def test_what_a_later_language_adds_renames_no_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [version.rules_hash(language) for language in LANGUAGES]
    monkeypatch.setitem(
        FEATURES,
        "later",
        features.Feature(
            2,
            "more",
            guards=frozenset({"__more"}),
            prices=frozenset({"GAS_MORE"}),
            limits=frozenset({"MORE_MAX"}),
            rules=frozenset({"X001"}),
        ),
    )
    monkeypatch.setattr(prices, "GAS_MORE", 7, raising=False)
    monkeypatch.setattr(limits, "MORE_MAX", 7, raising=False)
    monkeypatch.setattr(version, "GUARDS", GUARDS | {"__more"})
    monkeypatch.setitem(RULES, "X001", ("a", "b"))
    after = [version.rules_hash(language) for language in LANGUAGES]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_changed_price_renames_every_language(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [version.rules_hash(language) for language in LANGUAGES]
    monkeypatch.setattr(prices, "GAS_NODE", 3)
    after = [version.rules_hash(language) for language in LANGUAGES]
    assert not set(after) & set(before)


def test_the_tables_of_the_features_exist() -> None:
    for feature in FEATURES.values():
        assert feature.guards <= GUARDS
        assert all(hasattr(prices, name) for name in feature.prices)
        assert all(hasattr(limits, name) for name in feature.limits)
        assert feature.rules <= RULES.keys()
