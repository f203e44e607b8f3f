"""Names of arguments and event fields that name no subject; `subjects` has those that do."""

from __future__ import annotations

from typing import Final

# Texts, digests, numbers and keys. `accuser` is a party or a node: the sender tells which.
_PLAIN_NAMES: Final = """
about accepted account accounts accuser act_id address agreed agreement_digest algorithm algorithms
anomalies approvals approved args asked assurance category certificate certificate_until_ms channel
check_name code_hash commitment confirm_by_ms count data_commitment data_format deadline_ms delivery
description digest digests documents due_fen due_ms duties endpoint expires_ms figures finding
fingerprint first first_digest first_height first_signature from_height from_ms grade groups
has_veto head height in_force is_finished is_late is_match is_paid is_personal is_within item k keys
kind last layout_digest level limits location maker managers mean_ppm measured member members method
methods model name needs next_due_ms not_after_ms not_before note number on opened_ms order ordered
organizations outcome output output_commitment output_share outputs parameters parties_min passed
payload payload_digest peer_id per permissions place price_fen prices priority program program_hash
prohibitions protection public_key publisher_key purpose quality question rank reason receipt_digest
received_digest receiver_key release replacement report report_days report_digest resources
result_digest risk risk_ppm role roles row_count rule_hash salting scenario schema scope scopes
scores sealed_payload_digest second second_digest second_signature selected_ms sequence serial
service severity share share_digest share_max signature signatures size source speaker stage status
step step_name steps subject tags task_ids term_ms text threshold threshold_ppm title to_ms topic
total_fen transaction transcript_root units until_ms update_days uses uses_max values version view
vm_version witnesses
"""
PLAIN: Final = frozenset(_PLAIN_NAMES.split())
