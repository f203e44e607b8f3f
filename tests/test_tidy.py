"""House rules that no linter knows: sizes, docstrings, leftovers, words that must not be here."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from cli.main import NOUNS, application
from cli.translated import USAGE, help_lines, said

ROOT = Path(__file__).resolve().parent.parent

PACKAGES = (
    "bench",
    "cli",
    "client",
    "consensus",
    "contracts",
    "crypto",
    "executors",
    "ledger",
    "node",
    "p2p",
    "scenarios",
    "tests",
)

# These may use what `[executors]` brings; everything else must run without it.
WITH_EXECUTORS = {"executors", "scenarios", "bench"}
# This may use what `[kit]` brings: the plugin for pytest.
KIT = ("contracts", "kit")
# These may use what `[audit]` brings.
TABLES = ("node", "audit", "tables")

FILE_LINES_MAX = 500  # beyond that nobody reads a file as one thing
FUNCTION_LINES_MAX = 70  # a screen; 20 is normal

# Spelled in pieces so that this file does not contain what it forbids.
LEFTOVERS = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b"
)
INDEX_HOSTS = re.compile(
    "|".join(
        (
            r"py" + r"pi\.org",
            r"python" + r"hosted\.org",
            r"deb\." + r"debian\.org",
            r"index" + r"-url",
            r"find" + r"-links",
            r"file:" + r"///",
        )
    )
)
# The flags that keep addresses out of the lock files carry the words that INDEX_HOSTS forbids.
INDEX_WORDS_ALLOWED = {"Makefile"}
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:" + "wo" + "rk|ro" + r"ot)/")
REFUSAL = re.compile(r"[a-z_]+\.[a-z0-9_.]+: (.+)", re.DOTALL)
INCLUDES = re.compile(r"^#include (\S+)", re.MULTILINE)
BINARY_SUFFIXES = {".png", ".svg", ".gz", ".pdf", ".bin", ".der"}


@cache
def tracked_files() -> tuple[Path, ...]:
    """Files that git knows, or would add; build products and local state stay out."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=30,
    )
    names = listing.stdout.decode().split("\0")
    return tuple(ROOT / name for name in names if name and (ROOT / name).is_file())


def python_files() -> Iterator[Path]:
    for path in tracked_files():
        parts = path.relative_to(ROOT).parts
        if path.suffix == ".py" and parts[0] in PACKAGES:
            yield path


def c_files() -> Iterator[Path]:
    for path in tracked_files():
        if path.suffix in {".c", ".h"}:
            yield path


def text_files() -> Iterator[tuple[Path, str]]:
    for path in tracked_files():
        relative = path.relative_to(ROOT)
        if path.suffix in BINARY_SUFFIXES or relative.parts[:2] == ("proto", "gen"):
            continue
        yield relative, path.read_text(encoding="utf-8", errors="replace")


def source_of(path: Path) -> str:
    with tokenize.open(path) as handle:
        return handle.read()


def matches(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{relative}:{number}: {line.strip()[:80]}"
        for relative, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_source_file_is_longer_than_can_be_read_at_once() -> None:
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path in (*python_files(), *c_files())
        if (lines := source_of(path).count("\n")) > FILE_LINES_MAX
    }
    assert too_long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in python_files()
        for node in ast.walk(ast.parse(source_of(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert too_long == []


def test_compiled_code_stands_in_one_place_and_includes_no_system_but_the_c_library() -> None:
    product = [path for path in c_files() if ROOT / "tests" not in path.parents]
    assert {path.parent for path in product} == {ROOT / "crypto" / "native"}
    included = {name for path in product for name in INCLUDES.findall(source_of(path))}
    assert included == {"<stddef.h>", "<stdint.h>", "<string.h>", '"lanes.h"', '"sm3.h"'}


def test_every_package_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(source_of(path)))
    ]
    assert silent == []


def test_every_folder_of_python_is_a_package() -> None:
    folders = {path.parent for path in python_files() if path.relative_to(ROOT).parts[0] != "tests"}
    bare = [str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").is_file()]
    assert sorted(bare) == []


def test_proto_is_not_a_package() -> None:
    assert not (ROOT / "proto" / "__init__.py").exists(), "another distribution owns `import proto`"


def test_nothing_is_left_for_later() -> None:
    assert matches(LEFTOVERS) == []


def test_no_file_names_a_package_index() -> None:
    found = [hit for hit in matches(INDEX_HOSTS) if hit.split(":")[0] not in INDEX_WORDS_ALLOWED]
    assert found == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert matches(MACHINE_PATHS) == []


@pytest.mark.parametrize("name", ["core", "audit", "executors", "dev"])
def test_lock_files_pin_every_requirement_and_name_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    assert [
        line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==[A-Za-z0-9.+!_-]+", line)
    ] == []
    assert "://" not in text


def test_system_contracts_import_nothing_but_the_dialect() -> None:
    foreign = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in python_files()
        if path.relative_to(ROOT).parts[:2] == ("contracts", "system")
        for node in ast.walk(ast.parse(source_of(path)))
        for name in imported_modules(node)
        if name != "__future__" and name.split(".")[:2] != ["contracts", "dialect"]
    ]
    assert foreign == []


def test_every_library_that_is_imported_is_declared() -> None:
    """Transitive luck ends with the next release of a dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = {distribution_name(text) for text in project["dependencies"]}
    extra = {distribution_name(text) for text in project["optional-dependencies"]["executors"]}
    kit = {distribution_name(text) for text in project["optional-dependencies"]["kit"]}
    tables = {distribution_name(text) for text in project["optional-dependencies"]["audit"]}
    owners = packages_distributions()
    undeclared: set[str] = set()
    for path in python_files():
        package = path.relative_to(ROOT).parts[0]
        if package == "tests":
            continue
        declared = core | extra if package in WITH_EXECUTORS else core
        if path.relative_to(ROOT).parts[:2] == KIT:
            declared = core | kit
        if path.relative_to(ROOT).parts[:3] == TABLES:
            declared = core | tables
        for node in ast.walk(ast.parse(source_of(path))):
            for name in imported_modules(node):
                top = name.split(".")[0]
                if not top or top in PACKAGES or top == "shuxin" or top in sys.stdlib_module_names:
                    continue
                if not declared.intersection(distribution_name(d) for d in owners.get(top, [top])):
                    undeclared.add(f"{path.relative_to(ROOT)}: {top}")
    assert sorted(undeclared) == []


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert dead == []


def distribution_name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def imported_modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return ["." * node.level + (node.module or "")]
    return []


# --- Chinese (cli/translated.py) ------------------------------------------------------------------


def lines_of_help() -> Iterator[str]:
    """What `--help` shows of every noun, verb and option."""
    for noun in NOUNS:
        command = typer.main.get_command(application([noun]))
        assert isinstance(command, TyperGroup)
        explained = [command, command.commands[noun]]
        for one in explained:
            yield one.help or ""
            if one is not command:
                explained += getattr(one, "commands", {}).values()
            for parameter in one.get_params(typer.Context(one)):
                yield getattr(parameter, "help", None) or ""
                yield getattr(parameter, "rich_help_panel", None) or ""
    yield USAGE


def refusals_of_contracts() -> Iterator[str]:
    """Sentences behind a code, as the system contracts write them out."""
    for path in sorted((ROOT / "contracts" / "system").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Constant(value=str(text)) if found := REFUSAL.fullmatch(text):
                    yield found[1]


def test_every_line_of_help_has_its_chinese_and_none_is_left_over() -> None:
    shown = {" ".join(line.split()) for line in lines_of_help()} - {""}
    known = set(help_lines())
    assert sorted(shown - known) == [], "add the Chinese to cli/chinese_help.toml"
    assert sorted(known - shown) == [], "take these out of cli/chinese_help.toml"


def test_every_refusal_of_the_system_contracts_has_its_chinese_and_none_is_left_over() -> None:
    shown, known = set(refusals_of_contracts()), set(said()["contracts"])
    assert sorted(shown - known) == [], "add the Chinese to cli/chinese_said.toml"
    assert sorted(known - shown) == [], "take these out of cli/chinese_said.toml"
