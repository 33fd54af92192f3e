"""When an event happened, and what the clock says to it."""

from typing import Any

import pytest

from app.config.settings import ConversionSettings
from app.destination import ReportConversionEvent, report_conversion_event
from app.destination.required_fields import read_install_time, read_time
from app.errors import EventInvalid
from tests.destination.builders import NOW, a_conversion
from tests.rows import every_row

MOMENT = int(NOW)


@every_row(
    ("given", "seconds"),
    [
        ("2026-03-04T06:07:08Z", MOMENT),
        ("2026-03-04T06:07:08.999Z", MOMENT),
        ("2026-03-04T06:07:08.123456789Z", MOMENT),
        ("2026-03-04T07:07:08+01:00", MOMENT),
        ("2026-03-04t06:07:08z", MOMENT),
        ("2026-03-04t06:07:08.123z", MOMENT),
        ("2026-03-04T06:07:08z", MOMENT),
        ("2026-03-03T22:07:08.5-08:00", MOMENT),
        ("2026-03-04T11:37:08+0530", MOMENT),
        ("2026-03-04 06:07:08", MOMENT),
        ("2026/03/04 6:7:8", MOMENT),
        ("20260304060708", MOMENT),
        (MOMENT, MOMENT),
        (MOMENT + 0.5, MOMENT),
        (MOMENT * 1000, MOMENT),
        (str(MOMENT), MOMENT),
        (f"{MOMENT}912", MOMENT),
        (f"{MOMENT}.9", MOMENT),
        ([MOMENT], MOMENT),
        ("Wed, 04 Mar 2026 06:07:08 GMT", MOMENT),
        ("Wed Mar 04 2026 07:07:08 GMT+0100 (Central European Standard Time)", MOMENT),
        ("2026-03-04", MOMENT - 6 * 3600 - 7 * 60 - 8),
        ("2026-03", 1_772_323_200),
    ],
)
def test_every_way_to_write_a_time_becomes_seconds(given: Any, seconds: int) -> None:
    assert read_time(given) == (seconds, ())


@every_row(
    "given",
    [
        *[
            "yesterday",
            "2026-02-30",
            "2026",
            "2026-13-01T00:00:00Z",
            "12345",
            1e30,
            float("nan"),
            True,
            {"at": 5},
            [],
            "0" * 1000,
        ],
        # before the year 2000: what programs write where they know no time
        *["0" * 1000, 0, "0", 1.5, "0001-01-01T00:00:00Z", "1999-12-31T23:59:59Z", 946_684_799, "1970-01-01"],
    ],
)
def test_what_is_no_time_makes_the_event_invalid(given: Any) -> None:
    with pytest.raises(EventInvalid, match=r"event_time: .* no time can be read from it"):
        report_conversion_event(a_conversion(event_time=given), now=None)


@every_row(
    ("given", "sent", "about"),
    [
        ("2025-12-01T01:00:00+01:00", 1_764_547_200, ""),
        ("0", 0, ""),
        ("1764547200.5", 1_764_547_200, "cut to whole seconds"),
        ("1764547200999", 1_764_547_200, ": a text of 13 characters sent as 1764547200"),
        (1_764_547_200_999, 1_764_547_200, ": a number sent as 1764547200"),
        ("1969-12-31", None, "it lies before 1970"),
        ("soon", None, "no time can be read from it"),
    ],
)
def test_the_time_of_installation_lies_after_1970(given: Any, sent: int | None, about: str) -> None:
    seconds, notes = read_install_time(given)

    assert seconds == sent
    assert about in "".join(notes)


@every_row(
    ("seconds_ago", "sent", "about"),
    [
        (0, MOMENT, None),
        (3600, MOMENT - 3600, None),
        (3601, MOMENT - 3601, "event_time: 1.0 hours old, Pinterest reports what comes after 1 hour as offline"),
        (7 * 86_400, MOMENT - 7 * 86_400, "168.0 hours old"),
        (-60, MOMENT + 60, None),
        (-61, MOMENT, "event_time: 61 s in the future, set to the time of receipt"),
    ],
)
def test_the_clock_settles_the_time(seconds_ago: int, sent: int, about: str | None) -> None:
    event, warnings = report_conversion_event(a_conversion(event_time=MOMENT - seconds_ago), now=NOW)

    assert event["event_time"] == sent
    assert len(warnings) == (about is not None)
    assert (about or "") in "".join(warnings)


def test_an_old_event_is_invalid() -> None:
    with pytest.raises(EventInvalid, match=r"event_time: 7\.5 days old, Pinterest takes events of the last 7 days"):
        report_conversion_event(a_conversion(event_time=MOMENT - 7.5 * 86_400), now=NOW)


def test_the_age_is_a_setting() -> None:
    build = ReportConversionEvent(ConversionSettings.model_construct(max_event_age_days=60 / 86_400))

    with pytest.raises(EventInvalid, match="event_time"):
        build(a_conversion(event_time=MOMENT - 61), now=NOW)


def test_offline_events_may_come_late() -> None:
    _, warnings = report_conversion_event(a_conversion(event_time=MOMENT - 7200, action_source="offline"), now=NOW)

    assert warnings == []


def test_without_a_clock_neither_age_nor_future_matters() -> None:
    event, warnings = report_conversion_event(a_conversion(event_time="2000-01-01T00:00:00Z"), now=None)

    assert (event["event_time"], warnings) == (946_684_800, [])
