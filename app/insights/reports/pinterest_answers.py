"""Pinterest's answers, read as what is kept of them. What is not as its schema says is told as that."""

from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

from app.core.pages import Attributed, Coverage, Quality

#: What is asked of the analytics, by column. https://developers.pinterest.com/docs/api/v5/ad_account-analytics
CHECKOUTS: Final = "TOTAL_CHECKOUT"
VALUE: Final = "TOTAL_CHECKOUT_VALUE_IN_MICRO_DOLLAR"
BY_CLICK: Final = "TOTAL_CLICK_CHECKOUT"
BY_VIEW: Final = "TOTAL_VIEW_CHECKOUT"
#: Of the attribution: whoever clicked, or saw, within so many days; counted on the day of the conversion.
CLICK_DAYS: Final = 30
VIEW_DAYS: Final = 1


class _Issue(Struct):
    name: str
    reason: str


class _Details(Struct):
    coverage: float
    overlap: float | None = None
    issues: list[_Issue] = []


class _Score(Struct):
    overall_status: str
    source_platform: str
    ingestion_source: str
    quality_components: dict[str, dict[str, _Details]]


class _Named(Struct):
    name: str = ""
    mapped_conversion_type: str | None = None


class _Names(Struct):
    items: list[_Named] = []


class _Account(Struct):
    currency: str = ""
    #: Since 5.28.
    time_zone: str | None = None


class _Optimal(Struct):
    conversion_event: str = ""
    #: Since 5.28: the name of an advertiser-defined event.
    reporting_conversion_event: str | None = None


def read_quality(body: Any) -> tuple[Quality, ...]:
    """Read `conversion_eqs`. Raises msgspec.ValidationError."""
    return tuple(
        Quality(
            platform=score.source_platform,
            way=score.ingestion_source,
            status=score.overall_status,
            coverage=tuple(
                Coverage(
                    component=component,
                    event=event,
                    percent=details.coverage,
                    overlap=details.overlap,
                    issues=tuple(f"{issue.name}: {issue.reason}" for issue in details.issues),
                )
                for component, events in score.quality_components.items()
                for event, details in events.items()
            ),
        )
        for score in msgspec.convert(body, list[_Score])
    )


def read_attributed(body: Any) -> tuple[Attributed, ...]:
    """Read `analytics` by day. A column without a value may be missing. Raises msgspec.ValidationError."""
    rows = msgspec.convert(body, list[dict[str, Any]])
    return tuple(
        Attributed(
            date=str(row.get("DATE", "")),
            checkouts=_number(row, CHECKOUTS),
            by_click=_number(row, BY_CLICK),
            by_view=_number(row, BY_VIEW),
            value=str(Decimal(_number(row, VALUE)) / 1_000_000),
        )
        for row in rows
    )


def read_event_names(body: Any) -> dict[str, str]:
    """Read `advertiser_defined_events`: by name which standard event each stands for, "" for none."""
    return {each.name: each.mapped_conversion_type or "" for each in msgspec.convert(body, _Names).items if each.name}


def read_account(body: Any) -> dict[str, str]:
    """Read the ad account: the currency of its figures and its time zone. Raises msgspec.ValidationError."""
    account = msgspec.convert(body, _Account)
    return {"currency": account.currency, "time_zone": account.time_zone or ""}


def read_optimal(body: Any) -> tuple[str, ...]:
    """Read `ocpm_eligible`: the events that ads can be optimized for, of all tags. Raises msgspec.ValidationError.

    A name that this version does not know is read as well: 5.28 has 13 more than 5.23.
    """
    found = [each for events in msgspec.convert(body, dict[str, list[_Optimal]]).values() for each in events]
    return tuple(sorted({each.reporting_conversion_event or each.conversion_event for each in found} - {""}))


def _number(row: dict[str, Any], column: str) -> int:
    return msgspec.convert(row.get(column) or 0, int, strict=False)
