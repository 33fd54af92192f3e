"""Times are read as they were meant, or not at all."""

from datetime import datetime
from typing import Any

from app.core.values.times import unix_seconds
from tests.rows import every_row

MOMENT = datetime.fromisoformat("2026-03-04T16:12:00Z").timestamp()
MIDNIGHT = datetime.fromisoformat("2026-03-04T00:00:00Z").timestamp()


@every_row(
    "text",
    [
        *(
            "March 4, 2026 4:12 PM",
            "Mar 4, 2026, 4:12:00 PM",
            "Mar 4, 2026, 4:12:00\u202fPM",
            "March 4th, 2026 at 4:12pm",
        ),
        *(
            "4 March 2026 4:12 p.m.",
            "Wed, Mar 4, 2026 16:12",
            "Wednesday, 4 March 2026, 16:12:00",
            "mar 4 2026 04:12 pm",
        ),
        # RFC 2822, 850 and 822, C, Java, Unix and browsers
        *(
            "Wed, 04 Mar 2026 16:12:00 GMT",
            "4 Mar 2026 11:12 EST",
            "Wed, 04 Mar 2026 09:12:00 PDT",
            "4-Mar-2026 16:12 z",
        ),
        *("Wed,04 Mar 2026 16:12:00 GMT", "04 Mar 26 16:12:00 +0000", "04 Mar 26 16:12 GMT"),
        *("Wednesday, 04-Mar-26 16:12:00 GMT", "Wed, 04 Mar 26 17:12:00 +0100", "Wed, 4 Mar 2026 16:12:00 -0000 (UTC)"),
        *("Wed Mar  4 16:12:00 2026", "Wed Mar 04 16:12:00 UTC 2026", "Wed Mar 04 2026 17:12:00 GMT+0100 (CET)"),
        *("Wed, 04 Mar 2026 17:12:00 +01:00", "Wed Mar 4 2026 12:42:00 UTC-0330", "Wed Mar 04 17:12:00 GMT+01:00 2026"),
        # the zone apart, by name, or twice: Ruby, BigQuery, Go, Java
        *(
            "2026-03-04 16:12:00 UTC",
            "2026-03-04T16:12:00.000 Z",
            "2026-03-04 16:12:00.000000 UTC",
            "2026-03-04 16:12 GMT",
        ),
        *("2026-03-04 17:12:00 +0100", "2026-03-04 17:12:00 +0100 CET", "2026-03-04 16:12:00 +0000 UTC"),
        *("2026-03-04T17:12:00+01:00[Europe/Berlin]", "2026-03-04T16:12:00Z[UTC]", "2026-03-04t16:12:00z[Etc/GMT+0]"),
    ],
)
def test_what_can_mean_one_moment_only_is_read(text: str) -> None:
    assert unix_seconds(text) == MOMENT


@every_row(
    ("text", "hour"),
    [("12:00 AM", 0), ("12:30 am", 0.5), ("1:00 AM", 1), ("11:00 AM", 11), ("12:00 PM", 12), ("1:00 PM", 13), ("", 0)],
)
def test_the_halves_of_the_day(text: str, hour: float) -> None:
    assert unix_seconds(f"March 4, 2026 {text}") == MIDNIGHT + hour * 3600


@every_row(
    "given",
    [
        # a zone that nobody knows, or that two countries have
        *(
            f"Wed, 04 Mar 2026 17:12:00 {zone}"
            for zone in ("CET", "BST", "IST", "AEDT", "AST", "MESZ", "A", "+1", "GMT+1")
        ),
        *("Wed Mar  4 17:12:00 CET 2026", "2026-03-04 17:12:00 CET", "2026-03-04T17:12:00[Europe/Berlin]", "4:12 PM"),
        *(
            "March 4, 2026 16:12 PM",
            "March 4, 2026 0:12 AM",
            "March 4, 2026 4:12 XM",
            "March 32, 2026",
            "Smarch 4, 2026",
        ),
        # the day or the month first; the year first or last
        *(
            "3/4/2026, 4:12:00 PM",
            "04.03.2026 16:12",
            "04-Mar-26",
            "26-Mar-04 16:12",
            "4 mars 2026",
            "Wed, 31 Feb 2026",
        ),
        # the offset of a day is no time of day
        *("2026-03-04+01:00", "2026-03-04-05:00", "2026-03-04 -0500", "2026-03-04 UTC"),
        # no moment, or one in the year 2612
        *("2026", 2026, 20_260_304_161_200, 20_260_304_161_200.0, 20_260_304, 1e16, -1e16, "Wed, 04 Mar", "UTC"),
    ],
)
def test_what_could_mean_several_is_no_time(given: Any) -> None:
    assert unix_seconds(given) is None
