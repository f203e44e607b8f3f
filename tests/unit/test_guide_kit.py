"""The third example of the guide: its two versions, its tests, and what the guide shows of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.vm.check import check_source

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "contracts" / "dialect" / "GUIDE.md").read_text(encoding="utf-8")


def blocks(title: str, language: str) -> list[str]:
    """The code of a section of the guide."""
    section = GUIDE.split(f"## {title}", 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


FIRST, CHANGES = blocks("Example 3", "python")
(TESTS,) = blocks("Testing your contract", "python")
GAS, COVER = blocks("Testing your contract", "text")


def second() -> str:
    """Version 2, made as the guide says: an import more, and the lines in place of `take`."""
    text, replaced = re.subn(r"def take\(.*?\n\n\n", CHANGES + "\n\n", FIRST, flags=re.DOTALL)
    text, imported = re.subn("    is_name,\n", "    is_name,\n    migrate,\n", text)
    assert (replaced, imported) == (1, 1)
    return text


@pytest.mark.parametrize("source", [FIRST, second()], ids=["1", "2"])
def test_the_check_has_nothing_to_say(source: str) -> None:
    assert check_source(source) == []


def test_the_tests_of_the_guide_pass_and_show_what_it_shows(pytester: pytest.Pytester) -> None:
    """Figures that moved with a price are to be copied from the run into the guide."""
    pytester.makepyfile(metered=FIRST, metered_2=second(), test_metered=TESTS)
    pytester.makeconftest('pytest_plugins = ["contracts.kit.plugin"]')
    pytester.syspathinsert(ROOT)
    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--contract-gas", "--contract-coverage", "--contract-only=metered"
    )
    result.assert_outcomes(passed=TESTS.count("def test_"))
    shown = result.stdout.lines
    assert [line for line in (GAS + COVER).splitlines() if line not in shown] == []
