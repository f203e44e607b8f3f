"""The documents behind the evidence, and the product that is delivered.

Evidence on the chain is a digest; the party keeps the document and can show it to an auditor.
Documents are JSON with sorted keys, so that equal content has equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias, Union

from executors.mpc.results import Result
from scenarios.record import ScenarioFailed
from scenarios.sheet import Sheet

Json: TypeAlias = Union[None, bool, int, str, list["Json"], dict[str, "Json"]]

PRODUCT_FORM = "shuxin joint statistics 1"
LOG_SIZE_MAX = 1 << 20  # bytes: thousands of questions
PRODUCT_SIZE_MAX = 1 << 20  # bytes; a program puts out at most 1,024 numbers


def document(content: Mapping[str, Json]) -> bytes:
    """A document as it is kept and hashed."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1)
    return text.encode() + b"\n"


def quality_report(dataset_id: str, sheet: Sheet, found: Mapping[str, Json]) -> bytes:
    """What a supplier found when it collected its rows (6.6.3, 8.6.2c). Stays with the supplier."""
    return document(
        {
            **found,
            "document": "数据质量报告 data quality report",
            "dataset": dataset_id,
            "rows": len(sheet.rows),
            "missing_cells": sum(row.count("") for row in sheet.rows),
            "columns": dict(sheet.texts),
        }
    )


def decision(
    grant_id: str, demand_id: str, datasets: Sequence[str], uses: int, grounds: str
) -> bytes:
    """Why the manager grants (8.6.3c)."""
    return document(
        {
            "document": "授权决定书 decision on authorization",
            "grant": grant_id,
            "demand": demand_id,
            "datasets": list(datasets),
            "uses": uses,
            "grounds": grounds,
        }
    )


def agreement(
    agreement_id: str,
    *,
    over: str,
    operator: str,
    consumer: str,
    purpose: str,
    confidentiality: str,
    charge: str,
) -> bytes:
    """What operator and consumer agree on (6.6.4a); both sign its digest on the chain."""
    return document(
        {
            "document": "数据服务合同 data service agreement",
            "agreement": agreement_id,
            "over": over,
            "operator": operator,
            "consumer": consumer,
            "purpose": purpose,
            "confidentiality": confidentiality,
            "charge": charge,
            "delivery": "sealed to the consumer's SM2 key, handed over outside the chain",
            "acceptance": "within 7 days, by comparing digests",
        }
    )


def diligence(
    product_id: str, *, consumer: str, purpose: str, confidentiality: str, risk: str
) -> bytes:
    """What the operator looked at before a delivery (6.5b)."""
    return document(
        {
            "document": "尽职调查与风险评估 due diligence and risk assessment",
            "product": product_id,
            "consumer": consumer,
            "purpose": purpose,
            "risk": risk,
            "risks": {
                "reading by others": "sealed to the consumer's key; the digest is on the chain",
                "passing on": confidentiality,
                "tracing of persons or homes": "small groups were suppressed in the computation",
            },
        }
    )


def tariff(prices: Sequence[tuple[str, int]]) -> bytes:
    """What the manager lets be charged (6.6.1c)."""
    return document(
        {
            "document": "收费标准 tariff",
            "unit": "分 fen, for a unit of the service",
            "prices": dict(prices),
        }
    )


def query_log(service_id: str, answered: Sequence[tuple[str, str, str, str]]) -> bytes:
    """What was asked and answered under a contract; each side has a copy (6.6.4c)."""
    return document(
        {
            "document": "查询日志 log of questions",
            "service": service_id,
            "questions": [list(one) for one in answered],
        }
    )


def read_query_log(content: bytes) -> tuple[tuple[str, str, str, str], ...]:
    """Group, column, statistic and answer of each question in a log. Raises ScenarioFailed."""
    try:
        if len(content) > LOG_SIZE_MAX:
            raise ValueError("too long")
        rows = json.loads(content)["questions"]
        return tuple((str(a), str(b), str(c), str(d)) for a, b, c, d in rows)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ScenarioFailed(f"the log of questions cannot be read: {error!r}") from None


def receipt(statement_id: str, *, payer: str, payee: str, fen: int) -> bytes:
    """Stands for what a bank would confirm: a demonstration moves no money, and says so."""
    return document(
        {
            "document": "付款凭证（演示） payment receipt of a demonstration",
            "statement": statement_id,
            "payer": payer,
            "payee": payee,
            "fen": fen,
            "note": "no bank took part and no money moved",
        }
    )


def product(
    *,
    product_id: str,
    task_id: str,
    program_hash: bytes,
    protection: str,
    data: str,
    results: Sequence[Result],
    derived: Mapping[str, Json] | None = None,
) -> bytes:
    """The data product (数据产品): every number of the joint computation, and where it is from.

    `derived` is what was made of the numbers, such as a model; there is none where they are the
    product.
    """
    return document(
        {
            "form": PRODUCT_FORM,
            "product": product_id,
            "task": task_id,
            "program_hash": program_hash.hex(),
            "protection": protection,
            "data": data,
            "derived": dict(derived or {}),
            "results": [
                [result.group, result.column, result.statistic, result.value] for result in results
            ],
        }
    )


def read_product(content: bytes) -> tuple[Result, ...]:
    """The results in a delivered product. Raises ScenarioFailed."""
    try:
        if len(content) > PRODUCT_SIZE_MAX:
            raise ValueError("too long")
        read = json.loads(content)
        if read["form"] != PRODUCT_FORM:
            raise ValueError("another form")
        return tuple(Result(*(str(cell) for cell in row)) for row in read["results"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ScenarioFailed(f"the delivered product cannot be read: {error!r}") from None
