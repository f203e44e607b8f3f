"""The reader of docs/tour.md: nothing on a page goes untried, and no broken promise unseen."""

from __future__ import annotations

import pytest

from tests.e2e.tour import Command, File, PageInvalid, PromiseBroken, kept, named, read

PAGE = """# A page

Text with `code`.

```toml a/b.toml
rows = 1
```

```console
$ shuxin net new city
folder: city
…
$ shuxin party show bank \\
    --name "Big Bank"
refused: parties.unknown: …
```
"""


def test_files_and_commands_are_read_in_order() -> None:
    assert read(PAGE) == [
        File(5, "a/b.toml", "rows = 1\n"),
        Command(10, ("net", "new", "city"), ("folder: city", "…")),
        Command(13, ("party", "show", "bank", "--name", "Big Bank"),
                ("refused: parties.unknown: …",)),
    ]  # fmt: skip
    assert [step.exit_code for step in read(PAGE) if isinstance(step, Command)] == [0, 1]


@pytest.mark.parametrize(
    "block",
    [
        "```sh\nshuxin net up\n```",  # it would go untried
        "```\nanything\n```",
        "```console\nfolder: city\n```",
        "```console\n$ rm city\n```",
        "```console\n$ shuxin net up city > log\n```",
        "```console\n$ shuxin net up $HOME\n```",
        "```console\n$ shuxin net up city; shuxin net down city\n```",
        '```console\n$ shuxin net up "city\n```',
        "```console\n$ shuxin net up city",
        "```toml ../net.toml\n```",
        "```toml /etc/net.toml\n```",
    ],
)
def test_what_cannot_be_carried_out_is_refused(block: str) -> None:
    with pytest.raises(PageInvalid, match="^line 1|^line 2"):
        read(block)


def broken(promised: list[str], answer: str) -> str:
    """The line that is missed; "" when none is."""
    try:
        kept(promised, answer, {})
    except PromiseBroken as missed:
        return missed.line
    return ""


@pytest.mark.parametrize(
    ("promised", "first"),
    [
        (["a: 1", "b: 2"], ""),
        (["a:   1", "", "b: 2"], ""),  # blanks do not count
        (["…", "b: 2"], ""),
        (["a: …", "…"], ""),
        (["a: 1"], "a: 1"),  # the answer goes on
        (["b: 2", "…"], "b: 2"),  # something stands before
        (["…", "b: 2", "a: 1"], "a: 1"),  # in another order
        (["a: 1", "b: 3"], "b: 3"),
        (["a: .", "…"], "a: ."),  # no pattern but the dots
    ],
)
def test_the_first_broken_promise_is_named(promised: list[str], first: str) -> None:
    assert broken(promised, "a: 1\n\n b:  2\n") == first


def test_ruled_lines_of_any_length_are_alike() -> None:
    assert broken(["x", "──", "1"], " x \n──────\n 1 \n") == ""


def test_a_name_stands_for_what_an_answer_gave() -> None:
    given = kept(["nodes: a {FIRST}, b {SECOND}", "…"], "nodes: a x:1, b x:2\nmore\n", {})
    assert given == {"FIRST": "x:1", "SECOND": "x:2"}
    assert named("--node {SECOND}", given) == "--node x:2"
    with pytest.raises(PageInvalid, match="THIRD"):
        named("--node {THIRD}", given)


def test_a_name_that_is_known_means_the_same_again() -> None:
    assert kept(["is {A}"], "is 1\n", {"A": "1"}) == {}
    with pytest.raises(PromiseBroken):
        kept(["is {A}"], "is 2\n", {"A": "1"})
