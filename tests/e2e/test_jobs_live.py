"""Algorithms and jobs by commands alone, on a running network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.desk import DIGEST, PROGRAM, SUPPLIERS, Desk, carried_out, catalogued, granted
from tests.e2e.harness import LocalNetwork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def desk(network: LocalNetwork, tmp_path: Path) -> Desk:
    return Desk(network, tmp_path)


def test_an_image_is_proposed_vetted_suspended_and_disabled(desk: Desk, tmp_path: Path) -> None:
    algorithm, image = f"{desk.name('scores')}/1", tmp_path / "image"
    image.mkdir()
    (image / "run").write_text("echo scores")
    words = "--title", "评分", "--kind", "mpc", "--parameter", "rounds:int:how often"
    place = "--image", str(image)
    assert desk.refused("operator", "algorithm", "propose", algorithm, *words, *place) == (
        "algorithm.role"
    )
    desk.ask("tech", "algorithm", "propose", algorithm, *words, *place)
    found = desk.ask("consumer", "algorithm", "check", algorithm, *place, code=1)
    assert (found["status"], found["approved"]) == ("proposed", False)
    assert algorithm in desk.told("manager", "work")
    digest = str(found["digest"])
    wrong = desk.refused("manager", "algorithm", "review", algorithm, "--digest", DIGEST, "--pass")
    assert wrong == "algorithm.digest"
    desk.ask("manager", "algorithm", "review", algorithm, "--digest", digest, "--pass")
    assert desk.ask("consumer", "algorithm", "check", algorithm, *place)["approved"] is True
    assert desk.ask("consumer", "algorithm", "check", "statistics/1")["approved"] is True
    incident = desk.name("incident")
    about = "--title", "Leak", "--stage", "development", "--party", "operator"
    desk.ask("manager", "incident", "open", incident, *about)
    measure = "--algorithm", algorithm, "--reason", "it leaks"
    desk.ask("manager", "incident", "suspend-algorithm", incident, *measure)
    assert desk.ask("tech", "algorithm", "show", algorithm)["status"] == "suspended"
    desk.ask("manager", "incident", "lift", incident, "--number", "1", "--reason", "mended")
    desk.ask("manager", "algorithm", "disable", algorithm, "--reason", "superseded")
    assert desk.ask("tech", "algorithm", "show", algorithm)["status"] == "disabled"


@pytest.mark.timeout(300)
def test_a_job_goes_from_its_file_to_its_verified_result(desk: Desk, tmp_path: Path) -> None:
    datasets = catalogued(desk)
    grant, job = granted(desk, datasets), desk.name("job")
    pairs = [f"{party}={dataset}" for party, dataset in zip(SUPPLIERS, datasets, strict=True)]
    program = desk.file("sums.toml", PROGRAM)
    steps = "".join(
        f'[[steps]]\nname = "{name}"\nprogram = "sums.toml"\nparticipants = {pairs}\n{after}'
        for name, after in (("first", ""), ("second", 'after = ["first"]\n'))
    )
    text = f'title = "理赔"\ngrant = "{grant}"\ndeadline = "+1d"\n{steps}'
    file = desk.file("job.toml", text)
    desk.ask("operator", "job", "create", job, "--file", file)
    digest = str(desk.ask("consumer", "job", "show", job)["digest"]).removeprefix("0x")
    for party in (*SUPPLIERS, "consumer"):
        assert job in desk.told(party, "work")
        desk.ask(party, "job", "confirm", job, "--digest", digest)
    assert [row["id"] for row in desk.ask_list("operator", "job", "queue", "operator")] == [job]
    desk.ask("operator", "job", "dispatch", job)
    for step in ("first", "second"):
        order = "--task", desk.name(step), "--program", program, "--deadline", "+1h"
        if step == "first":
            assert desk.refused("operator", "job", "start", job, "second", *order) == "step.order"
        desk.ask("operator", "job", "start", job, step, *order)
        carried_out(desk, desk.name(step))
    result = "--digest", "file:" + desk.file("result.json", "{}")
    desk.ask("operator", "job", "finish", job, *result)
    assert desk.refused("consumer", "job", "verify", job, "--digest", DIGEST) == "job.received"
    desk.ask("consumer", "job", "verify", job, *result)
    desk.ask("operator", "job", "close", job)
    assert desk.ask("manager", "job", "show", job)["status"] == "closed"
    story = desk.told("manager", "grant", "history", grant)
    assert "JobVerified" in story and "JobStepStarted" in story
    assert '"flow_id"' in desk.told("operator", "job", "bfia", job)
