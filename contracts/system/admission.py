"""Applications of parties: handed in by a sponsor, decided by a manager (6.6.1b, 6.6.2b).

A stranger has no account that may send transactions. So it writes its application down and signs
it with the key of every account that it names: nobody can have another's address entered, which
the register would keep with its first party for ever. A sponsor, an active party that the text
names, hands it in. Who selects a role sponsors it: an operator its tech providers and developers, a
manager the operators and managers; suppliers and consumers any party. The manager's admission makes
the party, and for whom an operator selected the engagement as well (contract `oversight`): one
decision by one act. No manager admits what its own party sponsored while there is another one.

What is signed names the chain, the sponsor and an end, and an application's id is used once: what
was refused or withdrawn cannot be handed in again, and nothing is good on another chain. The id of
the party is reserved while the application is open, and no longer.

States: applied -> admitted | refused | withdrawn. An application ends by itself when its time is
over (`standing` says expired).
"""

from __future__ import annotations

from contracts.dialect import (
    Map,
    call,
    call_contract,
    ctx,
    emit,
    fail,
    is_name,
    record,
    replace,
    require,
    sm2_verify,
    sm3,
    to_hex,
    view,
    view_contract,
)

DOMAIN = b"shuxin/application/1:"  # before the SM3 of the text that applicants sign
KEY_SIZE = 64  # bytes: SM2 public key X || Y; a signature r || s has as many
DIGEST_SIZE = 32
ADDRESS_LENGTH = 40  # hex digits: the first 20 bytes of SM3(public key)
ACCOUNTS_MAX = 8  # of one application: each costs the check of a signature
TERM_MAX_MS = 90 * 24 * 3600 * 1000  # a quarter: people look at it anew after that
OPEN_MAX = 16  # applications of one sponsor that wait: none fills the managers' lists alone
REASON_MAX = 512  # characters
PAGE_MAX = 100  # applications in one answer
SELECTED_ROLES = ("tech_provider", "developer")  # who works for the operator that sponsors it


@record
class Application:
    """`party` is the id that the applicant wants; `digest` is the SM3 of what it signed."""

    id: str
    party: str
    name: str
    organization: str
    roles: list[str]
    accounts: list[str]
    documents: bytes  # SM3 of the papers that a manager looks through
    sponsor: str
    expires_ms: int
    applied_ms: int
    digest: bytes
    status: str = "applied"
    manager: str = ""  # party that decided
    decided_ms: int = 0
    reason: str = ""


applications = Map(str, Application)
application_by_number = Map((str, int), str)  # "" for all, or a sponsor; 0.. in order
application_count = Map(str, int)
reserved = Map(str, str)  # id of a party to be -> its open application
open_of = Map(str, list[str])  # sponsor -> applications that were open when it last applied


@call
def apply(
    application_id: str,
    party_id: str,
    name: str,
    organization: str,
    roles: list[str],
    documents: bytes,
    expires_ms: int,
    keys: list[bytes],
    signatures: list[bytes],
) -> None:
    """The sponsor hands an application in that the keys of all its accounts signed."""
    require_on()
    sponsor = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(sponsor != "", "admission.role: sign with an account of an active party")
    require(is_name(application_id), "admission.id: use 1 to 64 characters of a-z 0-9 _ - .")
    require(application_id not in applications, "admission.exists: sign anew under another id")
    require(
        ctx.time_ms < expires_ms <= ctx.time_ms + TERM_MAX_MS,
        "admission.expires: sign anew with an end in the next 90 days",
    )
    require(len(documents) == DIGEST_SIZE, "admission.documents: use 32 bytes of SM3")
    require(
        1 <= len(keys) <= ACCOUNTS_MAX and len(keys) == len(signatures),
        "admission.signatures: one to eight accounts apply, each with its key and its signature",
    )
    for key in keys:
        require(len(key) == KEY_SIZE, "admission.key: give each public key as 64 bytes X || Y")
    accounts = [to_hex(sm3(key))[:ADDRESS_LENGTH] for key in keys]
    view_contract("parties", "check_new", party_id, name, roles, accounts, returns=bool)
    check_organization(organization, party_id)
    check_sponsor(sponsor, roles)
    require(
        not is_open(reserved.get(party_id, "")),
        "admission.reserved: another application for this id waits; choose another id",
    )
    waiting = [other for other in open_of.get(sponsor, []) if is_open(other)]
    require(len(waiting) < OPEN_MAX, "admission.open: 16 applications of yours wait already")
    found = Application(
        application_id,
        party_id,
        name,
        organization,
        roles,
        accounts,
        documents,
        sponsor,
        expires_ms,
        ctx.time_ms,
        b"",
    )
    found = replace(found, digest=sm3(terms_of(found).encode()))
    check_signatures(found.digest, keys, signatures)
    applications[application_id] = found
    reserved[party_id] = application_id
    waiting.append(application_id)
    open_of[sponsor] = waiting
    enlist("", application_id)
    enlist(sponsor, application_id)
    emit(
        "Applied",
        application_id=application_id,
        party_id=party_id,
        sponsor=sponsor,
        roles=roles,
        accounts=accounts,
        documents=documents,
        digest=found.digest,
        expires_ms=expires_ms,
    )


@call
def admit(application_id: str, digest: bytes, engagement_id: str, reason: str) -> None:
    """A manager makes the applicant a party, and the sponsoring operator's engagement with it.

    `engagement_id` is "" for the id of the application, and for who works for no operator.
    """
    manager = require_manager()
    found = known_open(application_id)
    require(digest == found.digest, "admission.digest: it says something else; see `show`")
    require(len(reason) <= REASON_MAX, "admission.reason: use up to 512 characters")
    require(
        manager != found.sponsor
        or not view_contract("parties", "has_other_manager", manager, returns=bool),
        "admission.self: your party sponsored it, so another manager decides",
    )
    # Whose word it rests on may have been suspended since.
    require(
        view_contract("parties", "is_active", found.sponsor, returns=bool),
        "admission.sponsor: its sponsor is not active; have it sponsored anew",
    )
    check_organization(found.organization, found.party)
    is_engaged = is_selected(found.roles)
    require(
        is_engaged or engagement_id == "",
        "admission.engagement: only tech providers and developers are engaged",
    )
    close(found, "admitted", manager, reason)
    emit(
        "Admitted",
        application_id=application_id,
        party_id=found.party,
        sponsor=found.sponsor,
        manager=manager,
        digest=digest,
    )
    call_contract(
        "parties",
        "admit",
        found.party,
        found.name,
        found.roles,
        found.accounts,
        found.organization,
        found.sponsor,
        manager,
    )
    if is_engaged:
        call_contract(
            "oversight",
            "engage",
            application_id if engagement_id == "" else engagement_id,
            found.sponsor,
            found.party,
            manager,
            found.applied_ms,
            reason,
        )


@call
def refuse(application_id: str, reason: str) -> None:
    """A manager refuses an applicant, who may apply anew."""
    manager = require_manager()
    found = known_open(application_id)
    check_reason(reason)
    close(found, "refused", manager, reason)
    emit(
        "ApplicationRefused",
        application_id=application_id,
        party_id=found.party,
        sponsor=found.sponsor,
        manager=manager,
        reason=reason,
    )


@call
def withdraw(application_id: str, reason: str) -> None:
    """The sponsor takes an application back."""
    sponsor = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    found = known_open(application_id)
    require(sponsor == found.sponsor, "admission.owner: only the party that sponsored it may")
    check_reason(reason)
    close(found, "withdrawn", "", reason)
    emit(
        "ApplicationWithdrawn",
        application_id=application_id,
        party_id=found.party,
        sponsor=sponsor,
        reason=reason,
    )


@view
def show(application_id: str) -> Application:
    """One application as it was last changed, for its sponsor and managers."""
    found = known(application_id)
    reader = require_reader()
    require(
        reader == found.sponsor or is_manager(reader),
        "admission.reader: only its sponsor and managers may read it",
    )
    return found


@view
def standing(application_id: str) -> str:
    """How an application stands now: `status`, or expired, for its sponsor and managers."""
    return seen(show(application_id)).status


@view
def list_(offset: int, limit: int) -> list[Application]:
    """As they stand now, in order: all for managers, for others what their party sponsored."""
    reader = require_reader()
    require(offset >= 0 and 1 <= limit <= PAGE_MAX, "admission.page: ask for 1 to 100 from 0 up")
    scope = "" if is_manager(reader) else reader
    end = min(offset + limit, application_count.get(scope, 0))
    return [
        seen(applications[application_by_number[scope, number]]) for number in range(offset, end)
    ]


def terms_of(found: Application) -> str:
    """What applicants sign: the same text for the same application, and for no other.

    client/applications.py makes it of what the applicant says, and of what `show` answers.
    """
    lines = [
        "shuxin application 1",
        f"chain {to_hex(ctx.chain_id)}",
        f"application {found.id}",
        f"party {found.party}",
        f"name {len(found.name)} {found.name}",
        f"organization {found.organization}",
        f"sponsor {found.sponsor}",
        f"expires {found.expires_ms}",
        f"documents {to_hex(found.documents)}",
        f"roles {len(found.roles)}",
    ]
    lines.extend(found.roles)
    lines.append(f"accounts {len(found.accounts)}")
    lines.extend(found.accounts)
    return "\n".join(lines)


def check_signatures(digest: bytes, keys: list[bytes], signatures: list[bytes]) -> None:
    """Each account agreed to all of it, so none was named by somebody else."""
    for place, key in enumerate(keys):
        signature = signatures[place]
        require(
            len(signature) == KEY_SIZE and sm2_verify(key, DOMAIN + digest, signature),
            "admission.signature: not signed by this key for this chain and sponsor; sign anew",
        )


def check_sponsor(sponsor: str, roles: list[str]) -> None:
    held = view_contract("parties", "roles_of", sponsor, returns=list[str])
    require(
        not is_selected(roles) or "operator" in held,
        "admission.role: an operator sponsors tech providers and developers",
    )
    require(
        not ("operator" in roles or "manager" in roles) or "manager" in held,
        "admission.role: a manager sponsors operators and managers",
    )


def check_organization(organization: str, party_id: str) -> None:
    """An organization is a party that has an authority: its own, or one that it belongs to."""
    require(
        organization in ("", party_id)
        or view_contract("parties", "is_active", organization, returns=bool),
        "admission.organization: name an active party, the applicant itself, or nothing",
    )


def is_selected(roles: list[str]) -> bool:
    return len([role for role in roles if role in SELECTED_ROLES]) > 0


def known(application_id: str) -> Application:
    found = applications.get(application_id)
    if found is None:
        fail("admission.unknown: no application has this id; look for it with `list`")
    return found


def known_open(application_id: str) -> Application:
    found = known(application_id)
    require(found.status == "applied", "admission.status: it is decided or withdrawn")
    require(
        ctx.time_ms < found.expires_ms, "admission.expired: have it signed anew, and hand it in"
    )
    return found


def seen(found: Application) -> Application:
    """As it stands at this block's time."""
    if found.status == "applied" and ctx.time_ms >= found.expires_ms:
        return replace(found, status="expired")
    return found


def is_open(application_id: str) -> bool:
    found = applications.get(application_id)
    return found is not None and seen(found).status == "applied"


def close(found: Application, status: str, manager: str, reason: str) -> None:
    applications[found.id] = replace(
        found, status=status, manager=manager, decided_ms=ctx.time_ms, reason=reason
    )
    del reserved[found.party]


def enlist(scope: str, application_id: str) -> None:
    number = application_count.get(scope, 0)
    application_by_number[scope, number] = application_id
    application_count[scope] = number + 1


def require_on() -> None:
    require(
        view_contract("feature", "is_on", "member_applications", returns=bool),
        "admission.off: the consortium takes no applications; ask a manager to register the party",
    )


def require_manager() -> str:
    party = view_contract("parties", "acting_as", ctx.sender, "manager", returns=str)
    require(party != "", "admission.role: sign with an account of an active manager")
    return party


def require_reader() -> str:
    party = view_contract("parties", "active_party_of", ctx.sender, returns=str)
    require(party != "", "admission.reader: sign with an account of an active party")
    return party


def is_manager(party: str) -> bool:
    return view_contract("parties", "party_has_role", party, "manager", returns=bool)


def check_reason(reason: str) -> None:
    require(
        1 <= len(reason) <= REASON_MAX, "admission.reason: give a reason of 1 to 512 characters"
    )
