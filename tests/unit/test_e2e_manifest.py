"""Manifests are read strictly: a slip of the pen must not become a test that shows nothing."""

from __future__ import annotations

import pytest

from tests.e2e import manifest
from tests.e2e.manifest import Kill, Manifest, ManifestInvalid, Pause, decode, shortened

HEAD = 'title = "t"\nduration_s = 60\n'
SPARES = HEAD + "[network]\nobservers = 1\nspares = 1\n"  # node4, node5


def _event(kind: str, **fields: object) -> str:
    lines = "".join(f"{name} = {_toml(value)}\n" for name, value in fields.items())
    return f'[[events]]\nkind = "{kind}"\n{lines}'


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title = ", "Invalid value"),
        ('duration_s = 60\n', "missing required field `title`"),
        (HEAD + "colour = 3\n", "unknown field `colour`"),
        (HEAD + "[network]\nnodes = 3\n", r"\$.network.nodes"),
        (HEAD + "[network]\nnodes = 4\nclouds = 1\n", "unknown field `clouds`"),
        (HEAD + "[network.limits]\nwatermark = 3\n", "no limit of the genesis"),
        (HEAD + "[load]\nrate = 0\n", r"\$.load.rate"),
        (HEAD + '[load]\nkind = "video"\n', r"\$.load.kind"),
        (HEAD + _event("explode", at_s=1), "explode"),
        (HEAD + _event("kill", at_s=1), "missing required field `node`"),
        (HEAD + _event("kill", at_s=1, node="node4"), "node4: the network has node0 to node3"),
        (HEAD + _event("kill", at_s=1, node="somebody"), r"\$.events"),
        (HEAD + _event("kill", at_s=-1, node="node0"), r"\$.events"),
        (HEAD + _event("kill", at_s=60, node="node0"), "not before the end of the load"),
        (HEAD + _event("kill", at_s=5, times=7, node="node0"), "an event at 65 s"),
        (HEAD + _event("pause", at_s=50, for_s=20, node="node0"), "an event at 70 s"),
        (HEAD + _event("pause", at_s=50, node="node0"), "missing required field `for_s`"),
        (HEAD + _event("disconnect", at_s=1, for_s=1, nodes=[]), r"\$.events"),
        (HEAD + _event("disconnect", at_s=1, for_s=1, nodes=["node7"]), "node7"),
        (HEAD + _event("clock_skew", at_s=1, node="primary"), r"\$.events"),
        (
            HEAD + _event("equivocate", at_s=1, node="node1")
            + _event("equivocate", at_s=1, node="node2"),
            "2 liars, but 1 are tolerated",
        ),
        (HEAD + '[expect]\naccused = ["node9"]\n', "node9"),
        (HEAD + _event("add_validator", at_s=1, node="node4"), "node4"),
        (SPARES + _event("add_validator", at_s=1, node="node4"), "node4 is not a spare"),
        (SPARES + _event("promote", at_s=1, node="node5"), "node5 is not an observer"),
        (SPARES + _event("remove_validator", at_s=1, node="node4"), "node4 is not a validator"),
        (SPARES + _event("remove_validator", at_s=1, node="node0"), "at least 4 members"),
        (SPARES + _event("replace_validator", at_s=1, node="node0"), "field `successor`"),
        (
            SPARES + _event("replace_validator", at_s=1, node="node0", successor="node9"),
            "node9: the network has node0 to node5",
        ),
    ],
)  # fmt: skip
def test_what_fits_no_network_is_refused(text: str, told: str) -> None:
    with pytest.raises(ManifestInvalid, match=told):
        decode(text)


def test_a_manifest_that_is_missing_is_named() -> None:
    with pytest.raises(ManifestInvalid, match="nowhere.toml"):
        manifest.load("nowhere")


def _every_kind() -> Manifest:
    return decode(
        HEAD
        + "[network]\nobservers = 1\nspares = 2\n"
        + _event("kill", at_s=10, node="primary", times=3, every_s=5)
        + _event("pause", at_s=1, node="backup", for_s=30)
        + _event("restart", at_s=2, node="node1")
        + _event("rolling_restart", at_s=3)
        + _event("disconnect", at_s=4, nodes=["primary", "node2"], for_s=1)
        + _event("clock_skew", at_s=5, node="node2", offset_s=-60)
        + _event("clock_skew", at_s=7, node="node2", stopped=True, for_s=2)
        + _event("equivocate", at_s=0, node="node3")
        + _event("expel_validator", at_s=12, node="node3")
        + _event("promote", at_s=8, node="node4")
        + _event("add_validator", at_s=9, node="node5")
        + _event("remove_validator", at_s=10, node="node0")
        + _event("replace_validator", at_s=11, node="node1", successor="node6")
    )


def test_beginnings_and_ends_come_in_the_order_of_time() -> None:
    steps = _every_kind().timeline()
    times = [step.at_s for step in steps]
    assert times == sorted(times)
    kills = [step.at_s for step in steps if isinstance(step.event, Kill)]
    assert kills == [10, 15, 20]
    ends = [step.at_s for step in steps if isinstance(step.event, Pause) and step.is_end]
    assert ends == [31]


def test_liars_and_wrong_clocks_are_started_by_test_code_and_nobody_else() -> None:
    read = _every_kind()
    assert read.liars == {"node3"}
    assert read.launched == {"node2", "node3"}
    assert read.is_partitioned
    assert len(read.committee_events) == 5


def test_the_manifest_says_who_votes_in_the_end() -> None:
    seats = _every_kind().seats_at_end
    assert seats.members == {"node2", "node4", "node5", "node6"}
    assert seats.observers == {"node0", "node1"}
    assert seats.expelled == {"node3"}
    assert not seats.spares


def test_a_shortened_manifest_keeps_the_first_changes_of_the_committee() -> None:
    short = shortened(_every_kind(), times=2)
    assert [event.node for event in short.committee_events] == ["node4", "node5"]
    assert "node3" in short.liars


def test_a_shortened_manifest_keeps_the_first_kills_and_ends_soon_after_them() -> None:
    text = HEAD + _event("kill", at_s=10, node="primary", every_s=4, times=9)
    short = shortened(decode(text), times=2)
    assert [step.at_s for step in short.timeline()] == [10, 14]
    assert short.duration_s == 14 + manifest.TAIL_S


@pytest.mark.parametrize("name", sorted(path.stem for path in manifest.FOLDER.glob("*.toml")))
def test_every_manifest_of_the_folder_is_valid_and_says_why_it_is_there(name: str) -> None:
    read = manifest.load(name)
    assert read.events
    assert (manifest.FOLDER / f"{name}.toml").read_text(encoding="utf-8").startswith("# ")
