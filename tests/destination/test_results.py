"""What Pinterest's answers mean for each event."""

from typing import Any

import pytest

from app.core.deliveries import Blocked, CallResult, Delivered, Rejected, Retry
from app.destination.client import Answer, Failure
from app.destination.results import MAX_MESSAGE_CHARACTERS, read_results
from tests.rows import every_row

NOW = 1_790_000_000.0  # Mon, 21 Sep 2026 14:13:20 GMT

OK = {"status": "processed", "error_message": None, "warning_message": ""}
WARNED = {"status": "processed", "warning_message": "'em' is not in sha256 hashed format"}
FAILED = {"status": "failed", "error_message": "Given timestamp is in the past.", "warning_message": ""}

UNTOLD = "Pinterest's answer does not tell what became of each event"


def redact(text: str) -> str:
    return text.replace("jane@example.com", "[redacted]")


def read(answer: Answer | Failure, count: int = 3) -> list[CallResult] | Rejected:
    return read_results(answer, count, now=NOW, redact=redact)


def answer(status: int, body: Any = None, *, retry_after: str | None = None, date: str | None = None) -> Answer:
    return Answer(status=status, retry_after=retry_after, body=body, date=date)


def summary(*events: Any) -> dict[str, Any]:
    return {"num_events_received": len(events), "num_events_processed": 0, "events": list(events)}


def message(text: Any) -> dict[str, Any]:
    return {"code": 1, "message": text}


def test_200_delivers_each_event_with_its_warning() -> None:
    warning = "'em' is not in sha256 hashed format"

    assert read(answer(200, summary(OK, WARNED, OK))) == [Delivered(), Delivered(warning=warning), Delivered()]


def test_200_may_hold_failed_events() -> None:
    rejected = Rejected(reason="Given timestamp is in the past.", status=200)

    assert read(answer(200, summary(OK, FAILED, OK))) == [Delivered(), rejected, Delivered()]


@every_row(
    ("date", "told"),
    [
        (None, ""),
        ("Mon, 21 Sep 2026 14:13:20 GMT", ""),
        ("Mon, 21 Sep 2026 14:12:21 GMT", ""),
        ("Mon, 21 Sep 2026 13:13:20 GMT", "; this machine's clock is 60 minutes ahead of Pinterest's: correct it"),
        ("Mon, 21 Sep 2026 14:14:50 GMT", "; this machine's clock is 2 minutes behind Pinterest's: correct it"),
        ("yesterday", ""),
    ],
)
def test_a_dead_letter_names_the_difference_to_the_clock_of_pinterest(date: str | None, told: str) -> None:
    rejected = Rejected(reason=f"Given timestamp is in the past.{told}", status=422)
    body = message("not all") | {"details": summary(FAILED, OK)}
    assert read(answer(422, body, date=date), 2) == [rejected, Delivered(status=422)]
    whole = read(answer(400, message("Bad time"), date=date))
    assert whole == Rejected(reason=f"Bad time{told}", status=400)


def test_422_is_read_event_by_event_in_order() -> None:
    rejected = Rejected(reason="Given timestamp is in the past.", status=422)
    delivered = Delivered(status=422)
    body = message("not all") | {"details": summary(FAILED, OK, FAILED)}

    assert read(answer(422, body)) == [rejected, delivered, rejected]


def test_a_failed_event_without_words_is_rejected_all_the_same() -> None:
    assert read(answer(200, summary({"status": "failed"})), 1) == [
        Rejected(reason="Pinterest gave no reason", status=200)
    ]


UNKNOWN: list[Any] = [None, 7, {}, {"status": "maybe"}, {"status": None}]


@every_row("event", UNKNOWN, ids=str)
@every_row("processed", [0, 2, 4, None, "3", True, 3.0])
def test_an_event_without_a_known_status_is_tried_again_and_the_others_stand(event: Any, processed: Any) -> None:
    retry = Retry(reason="Pinterest's answer has no known status for this event", status=200, uses_attempt=False)
    body = summary(OK, event, OK) | {"num_events_processed": processed}

    assert read(answer(200, body)) == [Delivered(), retry, Delivered()]


@every_row("event", [*UNKNOWN, {"status": "accepted", "warning_message": "late"}], ids=str)
def test_an_unknown_status_counts_as_delivered_if_all_events_were_processed(event: Any) -> None:
    body = summary(OK, event, event) | {"num_events_processed": 3}
    delivered = Delivered(warning="late") if isinstance(event, dict) and len(event) > 1 else Delivered()

    assert read(answer(200, body)) == [Delivered(), delivered, delivered]
    failed = Rejected(reason="Given timestamp is in the past.", status=200)
    assert read(answer(200, summary(OK, FAILED, event) | {"num_events_processed": 3})) == [
        Delivered(),
        failed,
        delivered,
    ]


@every_row(
    ("status", "body"),
    [
        (200, None),
        (200, []),
        (200, "<html>"),
        (200, {}),
        (200, {"events": None}),
        (200, {"events": {}}),
        (200, summary(OK, OK)),
        (200, summary(OK, OK, OK, OK)),
        (200, summary(OK, OK, OK) | {"num_events_received": 2}),
        (200, summary(OK, OK, OK) | {"num_events_received": [3]}),
        (200, {"details": summary(OK, OK, OK)}),
        (422, None),
        (422, message("no details")),
        (422, {"details": None}),
        (422, {"details": summary(OK, OK)}),
        (422, summary(OK, OK, OK)),
    ],
    ids=str,
)
def test_an_answer_that_does_not_tell_of_each_event_is_no_verdict_and_may_hide_a_success(
    status: int, body: Any
) -> None:
    assert read(answer(status, body)) == [Retry(reason=UNTOLD, status=status, ambiguous=True)] * 3


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("status", [400, 413])
def test_a_call_that_is_refused_whole_names_nobody(status: int, count: int) -> None:
    """Not even the only one: Pinterest may refuse everything for a while."""
    refused = read(answer(status, message("Invalid request")), count)

    assert refused == Rejected(reason="Invalid request", status=status)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_destination_blocks_and_rejects_nobody(status: int) -> None:
    assert (
        read(answer(status, message("Authentication failed.")))
        == [Blocked(reason="Authentication failed.", status=status)] * 3
    )


def test_an_unusable_token_blocks_like_a_refused_one() -> None:
    failure = Failure(reason="the conversion token cannot be read or used", ambiguous=False, token=True)

    assert read(failure, 1) == [Blocked(reason=failure.reason, status=401)]


@pytest.mark.parametrize("ambiguous", [True, False])
def test_no_answer_is_tried_again(ambiguous: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert read(Failure(reason="broke", ambiguous=ambiguous), 2) == [Retry(reason="broke", ambiguous=ambiguous)] * 2


def test_404_blocks_the_ad_account_and_says_what_to_check() -> None:
    """Rule 15: it is not tried for days."""
    told = "Pinterest knows no such ad account (not found): check PINTEREST_AD_ACCOUNT_ID and PINTEREST_API_URL"
    assert read(answer(404, message("not found"))) == [Blocked(reason=told, status=404)] * 3


@every_row(
    ("status", "ambiguous"),
    [
        (429, False),
        (503, False),
        (500, True),
        (502, True),
        (504, True),
        (599, True),
        (201, True),
        (204, True),
        (301, False),
        (408, False),
        (415, False),
    ],
)
def test_every_other_status_is_tried_again(status: int, *, ambiguous: bool) -> None:
    reason = f"Pinterest answered {status} without a message"

    assert read(answer(status), 1) == [Retry(reason=reason, status=status, ambiguous=ambiguous)]


@every_row(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        ("Mon, 21 Sep 2026 14:14:20 GMT", 60.0),  # 14:14:20 - 14:13:20
        ("Mon, 21 Sep 2026 14:13:00 GMT", 0.0),  # past
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("", None),
        ("Mon, 99 Sep 2026 14:14:20 GMT", None),
    ],
)
@every_row("status", [429, 503, 500])
def test_retry_after_is_seconds_or_a_date(status: int, header: str | None, seconds: float | None) -> None:
    result = read(answer(status, message("slower"), retry_after=header), 1)

    ambiguous = status == 500
    assert result == [Retry(reason="slower", status=status, retry_after_s=seconds, ambiguous=ambiguous)]


@every_row(
    ("body", "reason"),
    [
        (message("'jane@example.com' is not of type"), "'[redacted]' is not of type"),
        (message("x" * 600), "x" * MAX_MESSAGE_CHARACTERS),
        (message(7), "Pinterest answered 400 without a message"),
        (message(""), "Pinterest answered 400 without a message"),
        ("<html>", "Pinterest answered 400 without a message"),
    ],
    ids=["personal", "long", "number", "empty", "HTML"],
)
def test_pinterests_words_are_kept_without_personal_data_and_bounded(body: Any, reason: str) -> None:
    assert read(answer(400, body), 1) == Rejected(reason=reason, status=400)


def test_words_about_single_events_are_redacted_too() -> None:
    events = summary(
        {"status": "failed", "error_message": "bad jane@example.com"},
        {"status": "processed", "warning_message": "odd jane@example.com"},
    )

    assert read(answer(200, events), 2) == [
        Rejected(reason="bad [redacted]", status=200),
        Delivered(warning="odd [redacted]"),
    ]
