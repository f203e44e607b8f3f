"""Which argument and which event field names which subject of an act.

The tables speak about the contracts of the genesis (contracts/system) and the machine's own,
`contract`. A subject is an id that the contract itself takes for one: nothing is guessed from the
look of a value. What another contract calls `dataset_id` may be anything, so its arguments name
nothing; where it calls a contract of the genesis, the events of that one tell.

`PLAIN` has the names that are no subject. A method, an event or a name that is in neither fails
tests/unit/test_audit_subjects.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from node.audit.acts.forms import (
    ABOUT,
    AGREEMENT,
    ALERT,
    ALERTS,
    ALGORITHM,
    CHANNEL,
    CONTRACT,
    DATASET,
    DATASETS,
    DELIVERY,
    DEMAND,
    ENGAGEMENT,
    EVALUATION,
    EVIDENCE,
    GRANT,
    INCIDENT,
    INQUIRY,
    NODE,
    NODES,
    PARTICIPANTS,
    PARTIES,
    PARTY,
    PRODUCT,
    PROPOSAL,
    RULE,
    STATEMENT,
    TASK,
    Names,
)

CALLS: Final[Mapping[str, Mapping[str, Names]]] = {
    "parties": {
        "register": {"party_id": PARTY},
        "add_account": {"party_id": PARTY},
        "remove_account": {"party_id": PARTY},
        "replace_account": {"party_id": PARTY},
        "name_keeper": {"party_id": PARTY},
        "suspend": {"party_id": PARTY},
        "readmit": {"party_id": PARTY},
    },
    "multisig": {
        "open_account": {},
        "propose": {"contract": CONTRACT},
        "approve": {},
        "reject": {},
        "withdraw": {},
    },
    "governance": {
        "admit": {"name": NODE, "party": PARTY},
        "dismiss": {"name": NODE},
        "ask": {"proposal_id": PROPOSAL, "node": NODE, "successor": NODE},
        "cancel": {"proposal_id": PROPOSAL},
        "confirm": {"proposal_id": PROPOSAL},
        "set_address": {"name": NODE},
    },
    "certificate": {},
    "identity": {
        "admit_root": {"organization": PARTY},
        "retire_root": {"organization": PARTY},
        "register": {"organization": PARTY},
        "revoke": {"organization": PARTY},
    },
    "proposal": {
        "admit_observer": {"proposal_id": PROPOSAL, "node": NODE, "party": PARTY},
        "propose": {"proposal_id": PROPOSAL, "node": NODE, "successor": NODE},
        "admit_root": {"proposal_id": PROPOSAL, "organization": PARTY},
        "retire_root": {"proposal_id": PROPOSAL, "organization": PARTY},
        "change_engine": {"proposal_id": PROPOSAL},
        "cancel_engine": {"proposal_id": PROPOSAL},
        "approve": {"proposal_id": PROPOSAL},
        "reject": {"proposal_id": PROPOSAL},
        "withdraw": {"proposal_id": PROPOSAL},
    },
    "accusation": {"accuse": {}},
    "catalog": {
        "register": {"dataset_id": DATASET},
        "update": {"dataset_id": DATASET},
        "withdraw": {"dataset_id": DATASET},
        "engage": {"dataset_id": DATASET, "party_id": PARTY},
        "release": {"dataset_id": DATASET},
    },
    "demand": {
        "file": {"demand_id": DEMAND},
        "prescreen": {"demand_id": DEMAND},
        "review": {"demand_id": DEMAND, "datasets": DATASETS},
    },
    "algorithm": {
        "propose": {"algorithm_id": ALGORITHM},
        "rebuild": {"algorithm_id": ALGORITHM},
        "review": {"algorithm_id": ALGORITHM},
        "disable": {"algorithm_id": ALGORITHM},
        "suspend": {"algorithm_id": ALGORITHM},
        "resume": {"algorithm_id": ALGORITHM},
    },
    "preapproval": {
        "preapprove": {"channel_id": CHANNEL, "operator_party": PARTY, "datasets": DATASETS},
        "close_channel": {"channel_id": CHANNEL},
        "draw": {"channel_id": CHANNEL},
    },
    "grant": {
        "request": {
            "grant_id": GRANT,
            "demand_id": DEMAND,
            "datasets": DATASETS,
            "channel_id": CHANNEL,
        },
        "review": {"grant_id": GRANT},
        "decide": {"grant_id": GRANT},
        "accept": {"grant_id": GRANT},
        "withdraw": {"grant_id": GRANT},
        "revoke": {"grant_id": GRANT},
        "suspend": {"grant_id": GRANT},
        "resume": {"grant_id": GRANT},
        "use": {
            "grant_id": GRANT,
            "task_id": TASK,
            "operator": PARTY,
            "datasets": DATASETS,
            "algorithm": ALGORITHM,
        },
    },
    "queue": {"enter": {}, "leave": {}},
    "task": {
        "create": {
            "task_id": TASK,
            "grant_id": GRANT,
            "algorithm": ALGORITHM,
            "participants": PARTICIPANTS,
        },
        "accept": {"task_id": TASK},
        "report": {"task_id": TASK},
        "fail": {"task_id": TASK},
        "cancel": {"task_id": TASK},
        "cancel_under": {"grant_id": GRANT},
        "expire": {"task_id": TASK},
    },
    "evidence": {
        "record": {"evidence_id": EVIDENCE, "subject": ABOUT},
        "record_batch": {"evidence_id": EVIDENCE, "subject": ABOUT},
        "anchor_access": {},
    },
    "product": {
        "register": {"product_id": PRODUCT, "task_id": TASK},
        "approve": {"product_id": PRODUCT},
    },
    "delivery": {
        "offer": {"delivery_id": DELIVERY, "product_id": PRODUCT, "consumer_party": PARTY},
        "offer_under": {
            "delivery_id": DELIVERY,
            "product_id": PRODUCT,
            "consumer_party": PARTY,
            "agreement_id": AGREEMENT,
        },
        "accept": {"delivery_id": DELIVERY},
    },
    "agreement": {
        "offer": {"agreement_id": AGREEMENT, "subject": ABOUT},
        "sign": {"agreement_id": AGREEMENT},
        "decline": {"agreement_id": AGREEMENT},
        "terminate": {"agreement_id": AGREEMENT},
    },
    "tariff": {"enact": {}, "withdraw": {}},
    "billing": {
        "meter_task": {"task_id": TASK},
        "meter_delivery": {"delivery_id": DELIVERY},
        "report_use": {"agreement_id": AGREEMENT},
        "issue": {"statement_id": STATEMENT, "payer": PARTY},
        "accept": {"statement_id": STATEMENT},
        "contest": {"statement_id": STATEMENT},
        "settle": {"statement_id": STATEMENT},
        "confirm": {"statement_id": STATEMENT},
    },
    "rules": {
        "draft": {"rule_id": RULE},
        "withdraw": {"rule_id": RULE},
        "enact": {"rule_id": RULE},
        "revoke": {"rule_id": RULE},
    },
    "oversight": {
        "select": {"engagement_id": ENGAGEMENT, "party_id": PARTY},
        "review": {"engagement_id": ENGAGEMENT},
        "end": {"engagement_id": ENGAGEMENT},
    },
    "alert": {
        "check": {"subject": ABOUT},
        "report": {"party_id": PARTY},
        "acknowledge": {"alert_id": ALERT},
        "close": {"alert_id": ALERT},
    },
    "incident": {
        "open": {"incident_id": INCIDENT, "party_id": PARTY, "alerts": ALERTS},
        "suspend_grant": {"incident_id": INCIDENT, "grant_id": GRANT},
        "suspend_algorithm": {"incident_id": INCIDENT, "algorithm_id": ALGORITHM},
        "cut_party": {"incident_id": INCIDENT},
        "note_freeze": {"incident_id": INCIDENT, "name": CONTRACT},
        "lift": {"incident_id": INCIDENT},
        "keep": {"incident_id": INCIDENT},
        "close": {"incident_id": INCIDENT},
    },
    "inquiry": {
        "ask": {"inquiry_id": INQUIRY, "party_id": PARTY},
        "answer": {"inquiry_id": INQUIRY},
        "send_back": {"inquiry_id": INQUIRY},
        "conclude": {"inquiry_id": INQUIRY},
        "withdraw": {"inquiry_id": INQUIRY},
    },
    "evaluation": {
        "publish": {"evaluation_id": EVALUATION, "party_id": PARTY},
        "answer": {"evaluation_id": EVALUATION},
        "settle": {"evaluation_id": EVALUATION},
    },
    "contract": {
        "deploy": {"name": CONTRACT},
        "upgrade": {"name": CONTRACT},
        "approve": {"name": CONTRACT},
        "withdraw": {"name": CONTRACT},
        "reject": {"name": CONTRACT},
        "freeze": {"name": CONTRACT},
        "unfreeze": {"name": CONTRACT},
        "revoke": {"name": CONTRACT},
        "set_policy": {},
        "approve_policy": {},
        "reject_policy": {},
        "change_engine": {},
        "cancel_engine": {},
    },
}

_STEP: Final = {"name": CONTRACT, "party": PARTY}
_OF_PROVIDER: Final = {"algorithm_id": ALGORITHM, "provider": PARTY}
_ASKED: Final = {
    "grant_id": GRANT,
    "demand_id": DEMAND,
    "operator": PARTY,
    "datasets": DATASETS,
}
_CHANNEL: Final = {"channel_id": CHANNEL, "operator": PARTY, "manager": PARTY}
_COURSE: Final = {"task_id": TASK, "participants": PARTIES}

EVENTS: Final[Mapping[str, Mapping[str, Names]]] = {
    "parties": {
        "PartyRegistered": {"party_id": PARTY},
        "AccountAdded": {"party_id": PARTY},
        "AccountRemoved": {"party_id": PARTY},
        "AccountReplaced": {"party_id": PARTY},
        "KeeperNamed": {"party_id": PARTY},
        "PartySuspended": {"party_id": PARTY},
        "PartyReadmitted": {"party_id": PARTY},
    },
    "multisig": {
        "JointAccountOpened": {},
        "JointActProposed": {"contract": CONTRACT},
        "JointActApproved": {},
        "JointActRejected": {},
        "JointActPerformed": {},
        "JointActWithdrawn": {},
    },
    "governance": {
        "NodeAdmitted": {"node": NODE, "party_id": PARTY},
        "NodeDismissed": {"node": NODE},
        "AddressSet": {"node": NODE},
        "ChangeApproved": {"proposal_id": PROPOSAL, "members": NODES},
        "ChangeConfirmed": {"proposal_id": PROPOSAL, "node": NODE},
        "ChangeLapsed": {"proposal_id": PROPOSAL, "node": NODE},
        "CommitteeDecided": {"proposal_id": PROPOSAL, "members": NODES},
    },
    "certificate": {},
    "identity": {
        "RootAdmitted": {"organization": PARTY},
        "RootRetired": {"organization": PARTY},
        "CertificateRegistered": {"organization": PARTY},
        "CertificateRevoked": {"organization": PARTY, "party_id": PARTY},
    },
    "proposal": {
        "Proposed": {
            "proposal_id": PROPOSAL,
            "node": NODE,
            "successor": NODE,
            "organization": PARTY,
            "party_id": PARTY,
        },
        "Approved": {"proposal_id": PROPOSAL, "party_id": PARTY},
        "Rejected": {"proposal_id": PROPOSAL, "party_id": PARTY},
        "Withdrawn": {"proposal_id": PROPOSAL, "party_id": PARTY},
    },
    "accusation": {"Accused": {"validator": NODE}},
    "catalog": {
        "DatasetRegistered": {"dataset_id": DATASET, "party_id": PARTY},
        "DatasetUpdated": {"dataset_id": DATASET, "party_id": PARTY},
        "DatasetWithdrawn": {"dataset_id": DATASET, "party_id": PARTY},
    },
    "demand": {
        "DemandFiled": {"demand_id": DEMAND, "party_id": PARTY},
        "DemandPrescreened": {"demand_id": DEMAND, "party_id": PARTY},
        "DemandReviewed": {"demand_id": DEMAND, "party_id": PARTY, "datasets": DATASETS},
    },
    "algorithm": {
        "AlgorithmProposed": _OF_PROVIDER,
        "AlgorithmRebuilt": _OF_PROVIDER,
        "AlgorithmReviewed": {**_OF_PROVIDER, "manager": PARTY},
        "AlgorithmDisabled": _OF_PROVIDER,
        "AlgorithmSuspended": _OF_PROVIDER,
        "AlgorithmResumed": _OF_PROVIDER,
    },
    "queue": {},
    "preapproval": {
        "ChannelOpened": {**_CHANNEL, "datasets": DATASETS},
        "ChannelClosed": _CHANNEL,
    },
    "grant": {
        "GrantRequested": {**_ASKED, "channel_id": CHANNEL},
        "GrantInReview": {"grant_id": GRANT, "operator": PARTY, "manager": PARTY},
        "GrantDecided": {"grant_id": GRANT, "operator": PARTY, "manager": PARTY},
        "GrantWithdrawn": {"grant_id": GRANT, "operator": PARTY},
        "Granted": {**_ASKED, "manager": PARTY},
        "GrantUsed": {"grant_id": GRANT, "task_id": TASK},
        "Revoked": {"grant_id": GRANT, "party_id": PARTY},
        "GrantSuspended": {"grant_id": GRANT, "operator": PARTY},
        "GrantResumed": {"grant_id": GRANT, "operator": PARTY},
    },
    "task": {
        "TaskCreated": {
            **_COURSE,
            "grant_id": GRANT,
            "operator": PARTY,
            "consumer": PARTY,
            "algorithm": ALGORITHM,
        },
        "TaskAccepted": {**_COURSE, "party_id": PARTY, "dataset_id": DATASET},
        "TaskReady": {**_COURSE, "grant_id": GRANT},
        "TaskReported": {**_COURSE, "party_id": PARTY, "dataset_id": DATASET},
        "TaskFinished": _COURSE,
        "TaskDisputed": _COURSE,
        "TaskFailed": {**_COURSE, "party_id": PARTY},
        "TaskCancelled": {**_COURSE, "party_id": PARTY},
        "TaskExpired": _COURSE,
    },
    "evidence": {
        "EvidenceRecorded": {"evidence_id": EVIDENCE, "subject": ABOUT, "party_id": PARTY},
        "AccessAnchored": {},
    },
    "product": {
        "ProductRegistered": {
            "product_id": PRODUCT,
            "task_id": TASK,
            "grant_id": GRANT,
            "party_id": PARTY,
        },
        "ProductAssessed": {"product_id": PRODUCT, "party_id": PARTY},
    },
    "agreement": {
        "AgreementOffered": {
            "agreement_id": AGREEMENT,
            "subject": ABOUT,
            "operator": PARTY,
            "consumer": PARTY,
        },
        "AgreementSigned": {"agreement_id": AGREEMENT, "party_id": PARTY},
        "AgreementDeclined": {"agreement_id": AGREEMENT, "party_id": PARTY},
        "AgreementTerminated": {"agreement_id": AGREEMENT, "party_id": PARTY},
    },
    "tariff": {"TariffEnacted": {"party_id": PARTY}, "TariffWithdrawn": {"party_id": PARTY}},
    "billing": {
        "Metered": {"subject": ABOUT, "payee": PARTY, "payer": PARTY},
        "StatementIssued": {"statement_id": STATEMENT, "payee": PARTY, "payer": PARTY},
        "StatementAccepted": {"statement_id": STATEMENT, "party_id": PARTY},
        "StatementContested": {"statement_id": STATEMENT, "party_id": PARTY},
        "StatementSettled": {"statement_id": STATEMENT, "party_id": PARTY},
        "StatementPaid": {"statement_id": STATEMENT, "party_id": PARTY},
    },
    "delivery": {
        "DeliveryOffered": {
            "delivery_id": DELIVERY,
            "product_id": PRODUCT,
            "agreement_id": AGREEMENT,
            "operator": PARTY,
            "consumer": PARTY,
        },
        "DeliveryAnswered": {
            "delivery_id": DELIVERY,
            "product_id": PRODUCT,
            "operator": PARTY,
            "consumer": PARTY,
        },
    },
    "rules": {
        "RuleDrafted": {"rule_id": RULE, "party_id": PARTY},
        "RuleWithdrawn": {"rule_id": RULE, "party_id": PARTY},
        "RuleEnacted": {"rule_id": RULE, "party_id": PARTY},
        "RuleRevoked": {"rule_id": RULE, "party_id": PARTY},
    },
    "oversight": {
        "Selected": {"engagement_id": ENGAGEMENT, "operator": PARTY, "party_id": PARTY},
        "EngagementReviewed": {"engagement_id": ENGAGEMENT, "manager": PARTY, "party_id": PARTY},
        "EngagementEnded": {"engagement_id": ENGAGEMENT, "operator": PARTY, "party_id": PARTY},
    },
    "alert": {
        "AlertRaised": {"alert_id": ALERT, "subject": ABOUT, "party_id": PARTY, "reporter": PARTY},
        "AlertRepeated": {"alert_id": ALERT, "subject": ABOUT, "party_id": PARTY},
        "AlertAcknowledged": {"alert_id": ALERT, "party_id": PARTY, "handler": PARTY},
        "AlertClosed": {"alert_id": ALERT, "party_id": PARTY, "handler": PARTY},
    },
    "incident": {
        "IncidentOpened": {
            "incident_id": INCIDENT,
            "party_id": PARTY,
            "opener": PARTY,
            "alerts": ALERTS,
        },
        "MeasureTaken": {"incident_id": INCIDENT, "target": ABOUT, "party_id": PARTY},
        "MeasureDecided": {"incident_id": INCIDENT, "target": ABOUT, "party_id": PARTY},
        "IncidentClosed": {"incident_id": INCIDENT, "party_id": PARTY, "closer": PARTY},
    },
    "inquiry": {
        "InquiryAsked": {"inquiry_id": INQUIRY, "asker": PARTY, "party_id": PARTY},
        "InquiryAnswered": {"inquiry_id": INQUIRY, "party_id": PARTY},
        "InquirySentBack": {"inquiry_id": INQUIRY, "party_id": PARTY},
        "InquiryConcluded": {"inquiry_id": INQUIRY, "party_id": PARTY},
        "InquiryWithdrawn": {"inquiry_id": INQUIRY, "party_id": PARTY},
    },
    "evaluation": {
        "EvaluationPublished": {
            "evaluation_id": EVALUATION,
            "evaluator": PARTY,
            "party_id": PARTY,
        },
        "EvaluationAnswered": {"evaluation_id": EVALUATION, "party_id": PARTY},
        "EvaluationSettled": {"evaluation_id": EVALUATION, "party_id": PARTY, "settler": PARTY},
    },
    "contract": {
        "Deployed": _STEP,
        "UpgradeProposed": _STEP,
        "RevokeProposed": _STEP,
        "Approved": _STEP,
        "Withdrawn": _STEP,
        "Rejected": _STEP,
        "Upgraded": _STEP,
        "Frozen": _STEP,
        "Unfrozen": _STEP,
        "Revoked": _STEP,
        "PolicyProposed": {"party": PARTY},
        "PolicyApproved": {"party": PARTY},
        "PolicyRejected": {"party": PARTY},
        "PolicyChanged": {"party": PARTY},
        "EngineScheduled": {},
        "EngineCancelled": {},
    },
}

# Texts, digests, numbers and keys. `accuser` is a party or a node: the sender tells which.
_PLAIN_NAMES: Final = """
accepted account accounts accuser act_id address agreement_digest algorithm algorithms approvals
approved args asked assurance certificate check_name code_hash commitment count data_commitment
deadline_ms description digest due_fen due_ms duties endpoint expires_ms finding fingerprint first
first_digest first_height first_signature from_height from_ms grade groups head height in_force
is_finished is_late is_match item kind last layout_digest limits location member members method name
needs next_due_ms not_after_ms note number opened_ms organizations outcome output_commitment
output_share outputs parameters parties_min passed payload_digest peer_id permissions price_fen
prices program program_hash prohibitions protection public_key publisher_key purpose question rank
reason receipt_digest received_digest receiver_key replacement report_digest resources result_digest
role roles row_count rule_hash salting scenario schema scope scopes scores sealed_payload_digest
second second_digest second_signature sequence serial service severity share_digest signature size
source speaker stage status step tags term_ms text threshold title to_ms topic total_fen transaction
transcript_root units until_ms uses_max version view vm_version witnesses
"""
PLAIN: Final = frozenset(_PLAIN_NAMES.split())
