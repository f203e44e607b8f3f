"""The norms, and what the districts found with them, as tables of the story."""

from __future__ import annotations

from collections.abc import Sequence

from executors.mpc.program import COUNT, MEDIAN
from executors.mpc.results import Result
from scenarios.record import TableRecord
from scenarios.rental.data import BEDROOMS
from scenarios.rental.models import Found
from scenarios.rental.program import HIGH, PARCELS, UTILITIES
from scenarios.tables import number


def result_table(results: Sequence[Result]) -> TableRecord:
    """A line per number of bedrooms: what half and what nine of ten dwellings stay below."""
    values = {(one.group, one.column, one.statistic): one.value for one in results}
    measured = (*UTILITIES, PARCELS)
    rows = tuple(
        (
            bedrooms,
            number(values[bedrooms, "", COUNT], 0),
            *(
                number(values[bedrooms, name, statistic], 1)
                for name in measured
                for statistic in (MEDIAN, str(HIGH))
            ),
        )
        for bedrooms in BEDROOMS
    )
    return TableRecord(
        title="联合统计结果 Norms over all districts, a month (generated data 生成数据)",
        columns=(
            "房型\nbedrooms",
            "户数\ndwellings",
            "用水 m³\nmedian",
            "\n90 %",
            "用电 kWh\nmedian",
            "\n90 %",
            "用气 m³\nmedian",
            "\n90 %",
            "快递\nmedian",
            "\n90 %",
        ),
        rows=rows,
    )


def found_table(found: Sequence[tuple[str, Found, tuple[int, int]]]) -> TableRecord:
    """What each district found at home; the last two columns are the truth of the drawing."""
    rows = tuple(
        (
            party,
            f"{one.dwellings:,}",
            *map(str, one.by_model),
            str(len(one.suspects)),
            *map(str, truth),
        )
        for party, one, truth in found
    )
    return TableRecord(
        title="各区自行比对 What each district found among its own dwellings (generated 生成数据)",
        columns=(
            "相关方\nparty",
            "户数\ndwellings",
            "人口\nresidents",
            "水电气\nutilities",
            "快递\nparcels",
            "疑似\nsuspected",
            "属实\nright",
            "群租\nlet by bed",
        ),
        rows=rows,
    )
