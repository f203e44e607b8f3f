"""Random programs of the subset: the VM and plain Python give equal results.

And random text: `check` never raises. Where the VM stops (bounds that Python does not have), its
code must name the exception that Python raises, or be one of the VM's own bounds. Small programs
that hypothesis shrinks; `make fuzz-vm` draws the whole language, with storage and events.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.vm.check import check_source
from contracts.vm.testing import Chain, account
from ledger.values import Value, decode_value

ALICE = account("alice")
HEAD = "from __future__ import annotations\nfrom contracts.dialect import call, require\n"
PYTHON_ERRORS: dict[str, type[Exception]] = {
    "arithmetic": ZeroDivisionError,
    "bad_index": IndexError,
    "missing_key": KeyError,
    "bad_value": ValueError,
}
OWN_BOUNDS = {"arithmetic", "value_limit", "out_of_gas"}

OPERATORS = st.sampled_from(["+", "-", "*", "//", "%", "&", "|", "^"])
COMPARISONS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
numbers = st.one_of(
    st.integers(-20, 20), st.sampled_from([2**63, 2**64, 2**255, -(2**255), 10**18, 255])
).map(lambda n: f"({n})" if n < 0 else str(n))
words = st.sampled_from(["''", "'a'", "'ab'", "'b,a'", "'\\u4e2d'", "'12'", "'-3'"])


def ints(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return st.one_of(numbers, st.sampled_from(["a", "b"]))
    inner, text, many = ints(depth - 1), texts(depth - 1), lists(depth - 1)
    test = bools(depth - 1)
    return st.one_of(
        inner,
        st.builds("({} {} {})".format, inner, OPERATORS, inner),
        st.builds("({} << ({} % 9))".format, inner, inner),
        st.builds("({} >> ({} % 300))".format, inner, inner),
        st.builds("(({} % 50) ** ({} % 20))".format, inner, inner),
        st.builds("(-{})".format, inner),
        st.builds("(~{})".format, inner),
        st.builds("({} if {} else {})".format, inner, test, inner),
        st.builds("len({})".format, st.one_of(text, many)),
        st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner),
        st.builds("sum({})".format, many),
        st.builds("abs({})".format, inner),
        st.builds("{}[{} % 5]".format, many, inner),
        st.builds("{}.find({})".format, text, text),
        st.builds("helper({}, {})".format, inner, text),
        st.builds("{}.get({}, {})".format, dicts(depth - 1), text, inner),
        st.builds("{}[{}]".format, dicts(depth - 1), text),
        st.builds("int({})".format, st.sampled_from(["'12'", "'-3'", "str(a)", "s"])),
    )


def bools(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return st.sampled_from(["True", "False", "a > b", "s == t", "a % 2 == 0"])
    number, text, many = ints(depth - 1), texts(depth - 1), lists(depth - 1)
    inner = bools(depth - 1)
    return st.one_of(
        st.builds("({} {} {})".format, number, COMPARISONS, number),
        st.builds("({} {} {})".format, text, COMPARISONS, text),
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("(not {})".format, inner),
        st.builds("({} {} {})".format, number, st.sampled_from(["in", "not in"]), many),
        st.builds("({} in {})".format, text, text),
        st.builds("({} in {})".format, text, dicts(depth - 1)),
        st.builds("({} == {})".format, many, many),
        st.builds("({} < {} <= {})".format, number, number, number),
        st.builds("{}.startswith({})".format, text, text),
        st.builds("any([{}, {}])".format, inner, inner),
    )


def texts(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return st.one_of(words, st.sampled_from(["s", "t"]))
    inner, number = texts(depth - 1), ints(depth - 1)
    return st.one_of(
        inner,
        st.builds("({} + {})".format, inner, inner),
        st.builds("str({})".format, number),
        st.builds("f'<{{{}}}{{{}}}>'".format, st.just("s"), st.sampled_from(["a", "b", "len(xs)"])),
        st.builds("{}[{}:{}]".format, inner, number, number),
        st.builds("','.join([str(i) for i in {}])".format, lists(depth - 1)),
        st.builds("{}.replace('a', {})".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, bools(depth - 1), inner),
    )


def lists(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return st.sampled_from(["xs", "[1, 2]", "[a]", "[0 - b, a, b]"])
    inner, number = lists(depth - 1), ints(depth - 1)
    return st.one_of(
        inner,
        st.builds("[{}, {}]".format, number, number),
        st.builds("({} + {})".format, inner, inner),
        st.builds("sorted({})".format, inner),
        st.builds("{}[{}:{}]".format, inner, number, number),
        st.builds("[(i + {}) for i in {} if i > {}]".format, number, inner, number),
        st.builds("[i * j for i in range({} % 6) for j in {}]".format, number, inner),
        st.builds("[len(p) for p in {}.split(',')]".format, texts(depth - 1)),
        st.builds("[k + v for k, v in enumerate({})]".format, inner),
        st.builds("[p + q for p, q in zip({}, {})]".format, inner, inner),
    )


def dicts(depth: int) -> st.SearchStrategy[str]:
    if depth == 0:
        return st.sampled_from(["{'a': 1}", "{s: a, t: b}"])
    return st.one_of(
        st.builds("{{{}: {}, {}: {}}}".format, texts(depth - 1), ints(depth - 1), words, numbers),
        st.builds("{{str(i): i for i in {}}}".format, lists(depth - 1)),
    )


statements = st.one_of(
    st.builds("a = {}".format, ints(2)),
    st.builds("b += {}".format, ints(1)),
    st.builds("s = {}".format, texts(2)),
    st.builds("t += {}".format, texts(1)),
    st.builds("xs = {}".format, lists(2)),
    st.builds("xs.append({})".format, ints(1)),
    st.builds("xs[{} % 3] = {}".format, ints(1), ints(1)),
    st.builds("d[{}] = {}".format, texts(1), ints(1)),
    st.builds("a, b = ({}, {})".format, ints(1), ints(1)),
    st.builds(
        "if {}:\n        a = {}\n    else:\n        b = {}".format, bools(2), ints(1), ints(1)
    ),
    st.builds(
        "for i in {}:\n        if i > 40:\n            break\n        a += i".format, lists(1)
    ),
    st.builds(
        "c = {}\n    for i in range({} % 250):\n        c {}= {}\n        if {}:\n"
        "            a = c\n        else:\n            c -= i".format,
        st.sampled_from(["0", "7", "a", "2 ** 255"]),
        ints(0),
        st.sampled_from(["+", "-", "*", "//", "%", "&", "^"]),
        st.sampled_from(["i", "i * i", "(i + 1)", "b", "c", "(c % 1000)", "len(xs)", "2 ** 250"]),
        bools(1),
    ),
    st.builds(
        "for i in range({} % 30, {} % 30, {}):\n        a += i\n        b -= a".format,
        ints(0),
        ints(0),
        st.sampled_from(["1", "2", "(-1)", "(-7)"]),
    ),
    st.builds("for k in d:\n        b += d[k]\n        s = k".format),
    st.builds("while a > 3:\n        a = a // 2 - {}".format, st.sampled_from(["1", "0"])),
    st.builds("xs.sort()\n    xs.reverse()".format),
    st.builds("if len(xs) > 0:\n        b = xs.pop()".format),
)


def source_of(body: list[str], result: str) -> str:
    lines = "".join(f"    {line}\n" for line in body)
    return (
        f"{HEAD}def helper(n: int, u: str) -> int:\n    if n < 0:\n        return len(u)\n"
        "    return n % 7\n"
        "@call\ndef main(a: int, b: int, s: str, t: str, xs: list[int]) -> "
        "tuple[int, int, str, str, list[int], dict[str, int], int]:\n"
        "    d: dict[str, int] = {'k': 1}\n"
        f"{lines}    r = {result}\n    return (a, b, s, t, xs, d, r)\n"
    )


def in_python(source: str, arguments: list[Any]) -> Any:
    scope: dict[str, Any] = {}
    exec(compile(source, "plain", "exec"), scope)
    return scope["main"](*arguments)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    st.lists(statements, max_size=5),
    ints(2),
    st.integers(-50, 50),
    st.integers(-3, 2**70),
    st.text(alphabet="ab,1-\u4e2d", max_size=4),
    st.lists(st.integers(-5, 5), max_size=4),
)
def test_programs_mean_the_same_as_in_python(
    body: list[str], result: str, a: int, b: int, text: str, xs: list[int]
) -> None:
    source = source_of(body, result)
    chain = Chain()
    deployed = chain.deploy("program", source)
    assert deployed.status == 0, (deployed.detail, source)
    items: list[Value] = [*xs]
    receipt = chain.call(ALICE, "program", "main", a, b, text, "t", items, gas_limit=3_000_000)
    assert receipt.error != "internal", source
    if receipt.error in OWN_BOUNDS:
        return  # Python may go on, and its integers may grow for hours
    try:
        expected = in_python(source, [a, b, text, "t", list(xs)])
    except (ArithmeticError, LookupError, ValueError) as error:
        accepted = {code for code, kind in PYTHON_ERRORS.items() if isinstance(error, kind)}
        assert receipt.error in accepted, (error, source)
        return
    if receipt.status == 0:
        assert decode_value(receipt.return_value) == list(expected), source
    else:
        assert receipt.error == "bad_value", (receipt, source)


@settings(max_examples=300)
@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=300))
def test_check_never_raises_on_text(text: str) -> None:
    check_source(text)


_TOKENS = """
    def f ( ) : @ call view record class return if else for in while = == + - * // ** a b 1 'x'
    b'y' f'{a}' [ ] { } , . ctx sender Map Var str int is None not and or -> from import
    contracts.dialect lambda yield await async with try except raise del pass # \\ \" ''' 0x1F
    1e9 1j ... := | & ~ < > != list[int] dict[str,int] str|None
"""
TOKENS = [*_TOKENS.split(), "\n", "\n    ", "\n        ", "\n\n"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(TOKENS), max_size=80))
def test_check_never_raises_on_tokens(tokens: list[str]) -> None:
    check_source(HEAD + " ".join(tokens))


SAMPLE = source_of(["a = b + 1", "xs = [i for i in xs if i > 1]", "d[s] = a"], "len(xs)")


@settings(max_examples=300)
@given(
    st.integers(0, len(SAMPLE) - 1),
    st.integers(0, 20),
    st.text(alphabet="()[]{}:,.'\"\\\n _=+-*/abc019@|", max_size=6),
)
def test_check_never_raises_on_a_damaged_contract(start: int, length: int, text: str) -> None:
    check_source(SAMPLE[:start] + text + SAMPLE[start + length :])
