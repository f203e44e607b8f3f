"""Pieces of contracts by name, for tests of all that the compiler says and makes.

`tests/snippets/*.txt` hold them: `=== NAME` begins one, `--- TEXT` is a heading. Accepted ones are
there each for one construct; refused ones mostly ask what is said where one mistake could bring
others. `lines` stand in a function with the surroundings of test_vm_refusals, `modules` are
contracts of their own. Those that stand exactly at a bound, or one beyond it, are written here.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).with_name("snippets")
ACCENT = r"\xe9"  # two bytes in UTF-8, counted as four
RECORD = "from contracts.dialect import Var, record, view\n@record\nclass R:\n"


def read(name: str) -> dict[str, str]:
    """The pieces of one file."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="ascii")
    text = re.sub(r"^--- .*\n", "", text, flags=re.MULTILINE)
    _, *parts = re.split(r"^=== (.*)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def lines(name: str) -> dict[str, str]:
    """The pieces of one file, indented for the body of a function."""
    return {key: text.rstrip().replace("\n", "\n    ") for key, text in read(name).items()}


def _fields(count: int, kind: str) -> str:
    return "".join(f"    f{number}: {kind}\n" for number in range(count))


def _event(count: int) -> str:
    return f"emit('Wide', {', '.join(f'f{number}={number}' for number in range(count))})"


def _parameters(count: int) -> str:
    names = ", ".join(f"a{number}: int" for number in range(count))
    return f"def f({names}) -> int:\n    return a0\n"


def _tuple(count: int) -> str:
    return "A = (\n" + "    1,\n" * count + ")\n"


def chain(length: int) -> str:
    """Functions that call the next one each, the first declared first."""
    calls = "".join(f"def f{i}() -> None:\n    f{i + 1}()\n" for i in range(length - 1))
    return f"{calls}def f{length - 1}() -> None:\n    pass\n"


def _literal(name: str, piece: str, last: str) -> str:
    """A constant written as 64 pieces and a last one."""
    return f"{name} = (\n{f'    {piece}{chr(10)}' * 64}    {last}\n)\n"


# The widths of ints: 257 bits is the bound, 1,100 what an expression may reach before a check.
_RANGE = "for i in range(a):\n        x = "
WIDTHS = {
    "wide_literals": f"x = {2**256}\n    y = -{2**256}\n    z = {2**255} + 1\n    u = -{2**255}",
    "widest_product": f"x = a * a * a * a * {2**71}",
    "a_bit_too_wide_a_product": f"x = a * a * a * a * {2**72}",
    "widest_product_of_a_negated": f"x = (-a) * a * a * a * {2**70}",
    "widest_product_of_a_negative": f"x = a * a * a * a * (-{2**70})",
    "width_at_the_bound_multiplied": f"{_RANGE}i * i * i * i * 1 * a * a * a * {2**70}",
    "width_below_the_bound_negated": f"{_RANGE}-(i * i * i * {2**62})",
    "width_below_the_bound_negated_twice": f"{_RANGE}-(-(i * i * i * {2**62}))",
    "smaller_width_negated_twice": f"{_RANGE}-(-(i * i * i * {2**61}))",
}
AT_BOUNDS = {
    "text_of_values_given_at_once": f"x = f'{'{a}x' * 15}'",
    "text_of_one_more": f"x = f'{'{a}x' * 15}{{a}}'",
    "list_given_at_once": f"x = [{', '.join(['a'] * 30)}]",
    "list_of_one_more": f"x = [{', '.join(['a'] * 31)}]",
    "longest_text": f"require(b, '{'x' * 200}')",
    "longest_event_name": f"emit('{'E' * 64}')",
    "most_event_fields": _event(32),
    "most_accesses": "\n    ".join(f"x = names['{number}']" for number in range(66)),
}
BEYOND_BOUNDS = {
    "too_long_an_event_name": f"emit('{'E' * 65}')",
    "too_many_event_fields": _event(33),
}
MODULES_AT_BOUNDS = {
    "widest_constants": f"A = {2**256}\nB = -{2**256}\n",
    "largest_constant": _tuple(255),
    "longest_name": f"{'n' * 64} = 3\n",
    "widest_record": RECORD + _fields(64, "int"),
    "largest_record": RECORD + _fields(51, "tuple[int, int, int, int]"),
    "most_parameters": _parameters(32),
}
MODULES_BEYOND_BOUNDS = {
    "too_wide_constants": f"A = {2**256 + 1}\nB = -{2**256 + 1}\n",
    "too_large_constant": _tuple(256),
    "too_long_a_name": f"{'n' * 65} = 1\n",
    "too_wide_a_record": RECORD + _fields(65, "int"),
    "too_large_a_record": f"{RECORD}{_fields(51, 'tuple[int, int, int, int]')}    last: int\n"
    "@view\ndef f(r: R) -> int:\n    return r.f0[0]\n",
    "too_large_types": f"{RECORD}{_fields(63, 'tuple[int, int, int]')}"
    "a = Var(list[R])\nb = Var(tuple[R, R])\n",
    "too_many_parameters": _parameters(33),
    "too_long_a_chain_of_calls": chain(33),
    "far_too_long_a_chain_of_calls": chain(40),
    "too_large_texts": _literal("A", repr("x" * 256), "''") + _literal("B", repr("x" * 256), "'x'"),
    "too_large_bytes": _literal("A", repr(b"x" * 256), "b''")
    + _literal("B", repr(b"x" * 256), "b'x'"),
    "too_large_wide_texts": _literal("A", f"'{ACCENT * 64}'", "''")
    + _literal("B", f"'{ACCENT * 64}'", f"'{ACCENT}'"),
    "more_findings_than_are_listed": "".join(f"x{number} = q\n" for number in range(300)),
}
ACCEPTED_LINES = lines("accepted_lines") | WIDTHS | AT_BOUNDS
ACCEPTED_MODULES = read("accepted_modules") | MODULES_AT_BOUNDS
REFUSED_LINES = lines("refused_lines") | BEYOND_BOUNDS
REFUSED_MODULES = read("refused_modules") | MODULES_BEYOND_BOUNDS
