"""What may be granted at all, and what a manager grants beforehand (clause 6.3b).

A manager opens a channel for one operator and one scenario: data sets, algorithms,
kinds of output, what is permitted, prohibited and due, the least assurance, how long a grant may
last and how many uses all of them together may have. A request of that operator within the channel
(contract `grant`) is in force at once; one beyond it is refused and goes the way through a review.
Closing a channel ends no grant that was drawn from it: those are revoked one by one.

States: open -> closed. What ends an open one besides follows from its record: `until_ms` has come,
or all its uses are given.
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    Var,
    call,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    view,
    view_contract,
)

SCENARIO_MAX = 512  # characters
DATASETS_MAX = 32
ALGORITHMS_MAX = 32
ALGORITHM_MAX = 64  # characters of an algorithm id, such as statistics/1
OUTPUTS_MAX = 16  # kinds of output, such as statistics or model
ACTIONS_MAX = 16  # permitted; as many may be prohibited, and as many due
USES_MAX = 10**6
TERM_MAX_MS = 5 * 366 * 24 * 3600 * 1000  # five years, as long as a grant may last
REASON_MAX = 512  # characters
PAGE_MAX = 100  # channels in one answer

# From no trusted environment at all to one that hardware vouches for (clause 8.2.1).
ASSURANCES = ("none", "sim_process", "sim_vtpm", "hw_vtpm_bound", "hw_tee")
# What may be done with data, by the vocabulary of ODRL 2.2, without its older synonyms and without
# what is done to texts, pictures and sound alone.
ACTIONS = (
    "use",
    "aggregate",
    "annotate",
    "anonymize",
    "archive",
    "concurrentUse",
    "derive",
    "display",
    "distribute",
    "execute",
    "extract",
    "give",
    "grantUse",
    "index",
    "install",
    "modify",
    "move",
    "present",
    "print",
    "read",
    "reproduce",
    "sell",
    "stream",
    "synchronize",
    "transfer",
    "transform",
    "translate",
)
DUTIES = (
    "acceptTracking",
    "anonymize",
    "attribute",
    "compensate",
    "delete",
    "ensureExclusivity",
    "include",
    "inform",
    "nextPolicy",
    "obtainConsent",
    "reviewPolicy",
    "uninstall",
    "watermark",
)


@record
class Grant:
    """A request, as the contract grant keeps it."""

    id: str
    demand_id: str
    consumer: str
    operator: str
    scenario: str
    datasets: list[str]
    algorithms: list[str]
    outputs: list[str]
    permissions: list[str]
    prohibitions: list[str]
    duties: list[str]
    from_ms: int
    expires_ms: int
    uses_max: int
    assurance: str
    channel_id: str
    requested_ms: int
    digest: bytes
    manager: str
    decided_ms: int
    accepted_ms: int
    uses: int
    status: str
    reason: str


@record
class Channel:
    """A scenario that is approved beforehand; `uses_max` is for all its grants together."""

    id: str
    manager: str
    operator: str
    scenario: str
    datasets: list[str]
    algorithms: list[str]
    outputs: list[str]
    permissions: list[str]
    prohibitions: list[str]
    duties: list[str]
    uses_max: int
    assurance: str
    term_ms: int  # that one grant may last
    until_ms: int
    opened_ms: int
    grants: int = 0  # drawn so far
    uses_given: int = 0
    status: str = "open"
    reason: str = ""


channels = Map(str, Channel)
channel_by_number = Map(int, str)
channel_count = Var(int)


@call
def preapprove(
    channel_id: str,
    operator_party: str,
    scenario: str,
    datasets: list[str],
    algorithms: list[str],
    outputs: list[str],
    permissions: list[str],
    prohibitions: list[str],
    duties: list[str],
    uses_max: int,
    assurance: str,
    term_ms: int,
    until_ms: int,
) -> None:
    """A manager approves a scenario of an operator beforehand (6.3b)."""
    manager = require_manager()
    require(is_name(channel_id), "preapproval.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(channel_id not in channels, "preapproval.exists: choose another id")
    require(
        view_contract("parties", "party_has_role", operator_party, "operator", returns=bool),
        "preapproval.operator: name an active operator",
    )
    require(operator_party != manager, "preapproval.self: another manager opens it for you")
    require(
        ctx.time_ms < until_ms <= ctx.time_ms + TERM_MAX_MS,
        "preapproval.until: choose a time in the next five years",
    )
    require(1 <= term_ms <= TERM_MAX_MS, "preapproval.term: let a grant last up to five years")
    check_sound(scenario, datasets, algorithms, outputs, uses_max, assurance)
    check_actions(permissions, prohibitions, duties)
    for dataset_id in datasets:
        owner = view_contract("catalog", "listed_by", dataset_id, returns=str)
        require(owner != "", "preapproval.dataset: name only data sets listed in the catalogue")
    channels[channel_id] = Channel(
        id=channel_id,
        manager=manager,
        operator=operator_party,
        scenario=scenario,
        datasets=datasets,
        algorithms=algorithms,
        outputs=outputs,
        permissions=permissions,
        prohibitions=prohibitions,
        duties=duties,
        uses_max=uses_max,
        assurance=assurance,
        term_ms=term_ms,
        until_ms=until_ms,
        opened_ms=ctx.time_ms,
    )
    number = channel_count.get(0)
    channel_by_number[number] = channel_id
    channel_count.set(number + 1)
    emit(
        "ChannelOpened",
        channel_id=channel_id,
        manager=manager,
        operator=operator_party,
        datasets=datasets,
        algorithms=algorithms,
        uses_max=uses_max,
        until_ms=until_ms,
    )


@call
def close_channel(channel_id: str, reason: str) -> None:
    """A manager lets no further grant be drawn; those in force go on until revoked (6.3b)."""
    manager = require_manager()
    channel = known(channel_id)
    require(channel.status == "open", "preapproval.status: it is closed already")
    require(1 <= len(reason) <= REASON_MAX, "preapproval.reason: give one of 1 to 512 characters")
    channels[channel_id] = replace(channel, status="closed", reason=reason)
    emit(
        "ChannelClosed",
        channel_id=channel_id,
        manager=manager,
        operator=channel.operator,
        reason=reason,
    )


@call
def draw(channel_id: str, asked: Grant) -> str:
    """The manager that approved what is asked beforehand; for the contract grant alone (6.3b)."""
    require(ctx.sender == "contract:grant", "preapproval.draw: request a grant in the channel")
    require(
        view_contract("feature", "is_on", "grant_channels", returns=bool),
        "preapproval.off: the consortium has switched channels off; request without the channel",
    )
    channel = known(channel_id)
    require(channel.status == "open", "preapproval.closed: request without the channel")
    require(ctx.time_ms < channel.until_ms, "preapproval.ended: request without the channel")
    require(asked.operator == channel.operator, "preapproval.operator: it is another operator's")
    # The channel speaks for its manager at each request anew: so it must still have a voice, and
    # not be the one for whom the data is.
    require(
        view_contract("parties", "party_has_role", channel.manager, "manager", returns=bool),
        "preapproval.manager: who opened the channel is suspended; request without it",
    )
    require(
        asked.consumer != channel.manager,
        "preapproval.consumer: another manager decides on what is for you; request without it",
    )
    # Else who is stopped in an emergency asks for the same data again, and has it at once (8.6.4b).
    require(
        not view_contract("incident", "is_held", asked.operator, returns=bool),
        "preapproval.held: an incident suspends a grant of yours; request without the channel",
    )
    require(asked.scenario == channel.scenario, "preapproval.scenario: name the channel's scenario")
    require(
        asked.expires_ms <= ctx.time_ms + channel.term_ms,
        "preapproval.term: end it within the term of the channel, or request without it",
    )
    require(
        channel.uses_given + asked.uses_max <= channel.uses_max,
        "preapproval.uses: the channel has fewer uses left; see `show`",
    )
    require(
        is_within(asked.datasets, channel.datasets)
        and is_within(asked.algorithms, channel.algorithms)
        and is_within(asked.outputs, channel.outputs)
        and is_within(asked.permissions, channel.permissions),
        "preapproval.beyond: the channel does not name all that is asked; request without it",
    )
    require(
        is_within(channel.prohibitions, asked.prohibitions)
        and is_within(channel.duties, asked.duties),
        "preapproval.obligations: take over every prohibition and duty of the channel",
    )
    require(
        level_of(asked.assurance) >= level_of(channel.assurance),
        "preapproval.assurance: ask for no less assurance than the channel",
    )
    given = channel.uses_given + asked.uses_max
    channels[channel_id] = replace(channel, grants=channel.grants + 1, uses_given=given)
    return channel.manager


@view
def ensure_sound(asked: Grant) -> bool:
    """True, or a refusal that says what no grant may ask for; for the contract grant."""
    check_sound(
        asked.scenario,
        asked.datasets,
        asked.algorithms,
        asked.outputs,
        asked.uses_max,
        asked.assurance,
    )
    check_actions(asked.permissions, asked.prohibitions, asked.duties)
    return True


@view
def show(channel_id: str) -> Channel:
    """One channel, whole, for every active party, as grants are (8.1.1)."""
    require_reader()
    return known(channel_id)


@view
def list_(offset: int, limit: int) -> list[Channel]:
    """Channels in order of opening."""
    require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "preapproval.page: ask for 1 to 100 from 0 up")
    end = min(offset + limit, channel_count.get(0))
    return [channels[channel_by_number[number]] for number in range(offset, end)]


def require_manager() -> str:
    party = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(party != "", "preapproval.role: sign with an account of an active manager")
    return party


def require_reader() -> None:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "preapproval.reader: sign with an account of an active party")


def known(channel_id: str) -> Channel:
    channel = channels.get(channel_id)
    if channel is None:
        fail("preapproval.unknown: no channel has this id; look for it with `list`")
    return channel


def check_sound(
    scenario: str,
    datasets: list[str],
    algorithms: list[str],
    outputs: list[str],
    uses_max: int,
    assurance: str,
) -> None:
    require(1 <= len(scenario) <= SCENARIO_MAX, "preapproval.scenario: use 1 to 512 characters")
    require(1 <= uses_max <= USES_MAX, "preapproval.uses: allow 1 to 1000000 uses")
    require(level_of(assurance) >= 0, "preapproval.assurance: use none, sim_process, ... or hw_tee")
    require(1 <= len(datasets) <= DATASETS_MAX, "preapproval.datasets: name 1 to 32 data sets")
    require(is_distinct(datasets), "preapproval.dataset_twice: name each once")
    require(
        1 <= len(algorithms) <= ALGORITHMS_MAX, "preapproval.algorithms: name 1 to 32 algorithms"
    )
    for algorithm in algorithms:
        require(
            1 <= len(algorithm) <= ALGORITHM_MAX, "preapproval.algorithm_id: use 1 to 64 characters"
        )
    require(is_distinct(algorithms), "preapproval.algorithm_twice: name each once")
    require(1 <= len(outputs) <= OUTPUTS_MAX, "preapproval.outputs: name 1 to 16 kinds of output")
    require(is_distinct(outputs), "preapproval.output_twice: name each once")
    for kind in outputs:
        require(is_name(kind), "preapproval.output: use 1 to 64 characters of a-z 0-9 _ - .")


def check_actions(permissions: list[str], prohibitions: list[str], duties: list[str]) -> None:
    """ODRL: what is permitted, what is prohibited, and what has to be done in return."""
    require(1 <= len(permissions) <= ACTIONS_MAX, "preapproval.permissions: permit 1 to 16 actions")
    require(
        len(prohibitions) <= ACTIONS_MAX and len(duties) <= ACTIONS_MAX,
        "preapproval.actions: prohibit up to 16 actions, and make up to 16 a duty",
    )
    require(
        is_within(permissions, list(ACTIONS)) and is_within(prohibitions, list(ACTIONS)),
        "preapproval.action: use an action of ODRL 2.2, such as derive or distribute",
    )
    require(
        is_within(duties, list(DUTIES)),
        "preapproval.duty: use a duty of ODRL 2.2, such as delete or inform",
    )
    require(
        is_distinct(permissions + prohibitions) and is_distinct(duties),
        "preapproval.action_twice: name each action once: permitted or prohibited, not both",
    )


def is_within(items: list[str], bound: list[str]) -> bool:
    return len([item for item in items if item not in bound]) == 0


def is_distinct(items: list[str]) -> bool:
    return len([item for at, item in enumerate(items) if item in items[:at]]) == 0


def level_of(assurance: str) -> int:
    """How much an environment vouches for, from 0 up; -1 for a word that is none of them."""
    for level, name in enumerate(ASSURANCES):
        if name == assurance:
            return level
    return -1
