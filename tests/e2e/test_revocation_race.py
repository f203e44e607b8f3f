"""A grant ends while its result is in flight and before its delivery: on four real nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.business import CERTIFICATE
from tests.e2e.desk import (
    DIGEST,
    SUPPLIERS,
    Desk,
    catalogued,
    computed,
    created,
    granted,
)
from tests.e2e.harness import LocalNetwork

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def acts(desk: Desk, grant: str) -> list[tuple[str, str]]:
    """Each step of the story, with the code of its refusal."""
    steps = desk.ask("manager", "grant", "history", grant)["steps"]
    assert isinstance(steps, list)
    return [(step["act"], step["refusal"].partition(":")[0]) for step in steps]


def report(task: str) -> Sequence[str]:
    said = f"0x{DIGEST}", f"0x{DIGEST}", f"0x{DIGEST}", "0x01", "[1, 2]", "ABY3"
    return ("contract", "call", "task", "report", task, *said)


def suspended(desk: Desk, grant: str) -> str:
    """The incident that suspends the grant."""
    incident = desk.name("incident")
    told = "--title", "Leak", "--stage", "development", "--party", "operator"
    desk.ask("manager", "incident", "open", incident, *told, "--severity", "critical")
    why = "--grant", grant, "--reason", "leak"
    desk.ask("manager", "incident", "suspend-grant", incident, *why)
    return incident


@pytest.mark.timeout(300)
def test_no_result_in_flight_is_accepted_and_the_story_tells_it(
    network: LocalNetwork, tmp_path: Path
) -> None:
    desk = Desk(network, tmp_path)
    datasets = catalogued(desk)
    grant, task = granted(desk, datasets), desk.name("race")
    created(desk, task, grant, datasets)
    offer = task, "127.0.0.1:1", f"str:{CERTIFICATE}", f"0x{DIGEST}"
    for supplier in SUPPLIERS:
        desk.ask(supplier, "contract", "call", "task", "accept", *offer)
    desk.ask(SUPPLIERS[0], *report(task))
    incident = suspended(desk, grant)
    assert desk.refused(SUPPLIERS[1], *report(task)) == "grant.on_hold"
    lifted = "--number", "1", "--reason", "it was none"
    desk.ask("manager", "incident", "lift", incident, *lifted)
    desk.ask(SUPPLIERS[1], *report(task))
    desk.ask("manager", "grant", "revoke", grant, "--reason", "misuse")
    assert desk.refused(SUPPLIERS[2], *report(task)) == "task.status"
    assert desk.ask("operator", "grant", "check", grant, code=1)["valid"] is False
    file = desk.ask("operator", "task", "show", task)["task"]
    assert isinstance(file, dict) and file["status"] == "cancelled"
    share = "contract", "view", "task", "share", task, SUPPLIERS[0]
    assert desk.refused("operator", *share) == "task.unfinished"
    told = acts(desk, grant)
    begun = [act for act, refusal in told if not refusal][:6]
    assert begun == [
        "grant.GrantRequested",
        "grant.GrantInReview",
        "grant.GrantDecided",
        "grant.Granted",
        "grant.GrantUsed",
        "task.TaskCreated",
    ]
    assert told[-7:] == [
        ("grant.GrantSuspended", ""),
        ("task.report", "grant.on_hold"),
        ("grant.GrantResumed", ""),
        ("task.TaskReported", ""),
        ("grant.Revoked", ""),
        ("task.TaskCancelled", ""),
        ("task.report", "task.status"),
    ]
    assert "撤销" in desk.told("manager", "grant", "history", grant)


@pytest.mark.timeout(300)
def test_no_delivery_completes_after_the_revocation(network: LocalNetwork, tmp_path: Path) -> None:
    desk = Desk(network, tmp_path)
    datasets = catalogued(desk)
    grant = granted(desk, datasets)
    task, product, delivery = computed(desk, grant, datasets), desk.name("p"), desk.name("v")
    text = "--task", task, "--title", "理赔统计", "--digest", DIGEST
    desk.ask("operator", "product", "register", product, *text)
    desk.ask("manager", "product", "approve", product, "--pass")
    terms = "--product", product, "--consumer", "consumer", "--agreement", DIGEST
    desk.ask("operator", "delivery", "offer", delivery, *terms, "--payload", DIGEST)
    waiting = {row["id"]: row["command"] for row in desk.ask_list("consumer", "work")}
    assert str(waiting[delivery]).startswith(f"shuxin delivery accept {delivery} ")
    desk.ask("manager", "grant", "revoke", grant, "--reason", "misuse")
    accept = "delivery", "accept", delivery, "--digest", DIGEST
    assert desk.refused("consumer", *accept) == "grant.revoked"
    again = desk.refused(
        "operator", "delivery", "offer", desk.name("v2"), *terms, "--payload", DIGEST
    )
    assert again == "grant.revoked"
    assert desk.refused("operator", "task", "result", task) == "grant.revoked"
    assert desk.ask("consumer", "delivery", "show", delivery)["status"] == "offered"
    assert acts(desk, grant)[-4:] == [
        ("delivery.DeliveryOffered", ""),
        ("grant.Revoked", ""),
        ("delivery.accept", "grant.revoked"),
        ("delivery.offer", "grant.revoked"),
    ]
