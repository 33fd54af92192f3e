"""Convert Pinterest's response to a result for each event of a call.

    200, 422           read event by event, in order: Delivered or Rejected
    400, 413           an unknown event of the call is refused: one Rejected for the whole call
    401, 403, 404      Blocked: the destination is refused, not the event; 404: there is no such ad account
    429, 503           Retry, when Pinterest asks for it
    everything else    Retry; ambiguous if the call may have been processed

Source: the OpenAPI description of the endpoint (5.28), and messages quoted in issues of its users:
https://github.com/segmentio/action-destinations/pull/2465, https://github.com/woocommerce/pinterest-for-woocommerce/issues/967
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from app.core.deliveries import Blocked, CallResult, Delivered, Rejected, Retry
from app.destination.client import Answer, Failure

#: Removes personal data from a text that will be stored.
Redact: TypeAlias = Callable[[str], str]

#: Maximum stored length of Pinterest's message.
MAX_MESSAGE_CHARACTERS = 500

_OK, _NOT_FOUND = 200, 404
#: The result of nearly all events.
_DELIVERED = Delivered()


def read_results(answer: Answer | Failure, count: int, *, now: float, redact: Redact) -> list[CallResult] | Rejected:
    """Return a result for each of the `count` events of a call, in order.

    A single Rejected means that the call was refused with all its events, because of some of them or for an unrelated
    reason.
    """
    if isinstance(answer, Failure):
        return [_no_answer(answer)] * count
    status, clock_fault = answer.status, answer.clock_fault(now)
    if status in (200, 422):
        results = _each(answer, count, redact)
        if clock_fault:
            results = [
                Rejected(reason=each.reason + clock_fault, status=status) if isinstance(each, Rejected) else each
                for each in results
            ]
        return results
    reason = _message(answer, redact)
    if status in (400, 413):
        return Rejected(reason=reason + clock_fault, status=status)
    if status == _NOT_FOUND:
        reason = f"Pinterest knows no such ad account ({reason}): check PINTEREST_AD_ACCOUNT_ID and PINTEREST_API_URL"
    if status in (401, 403, _NOT_FOUND):
        return [Blocked(reason=reason, status=status)] * count
    wanted_s = answer.retry_after_s(now)
    return [Retry(reason=reason, status=status, retry_after_s=wanted_s, ambiguous=_perhaps_taken(status))] * count


def _perhaps_taken(status: int) -> bool:
    """Return whether the events may have been processed: success without a body, or a failing server."""
    return status // 100 in (2, 5) and status != 503  # noqa: PLR2004 - HTTP's own numbers


def _no_answer(failure: Failure) -> CallResult:
    if failure.token:
        return Blocked(reason=failure.reason, status=401)
    return Retry(reason=failure.reason, ambiguous=failure.ambiguous)


def _each(answer: Answer, count: int, redact: Redact) -> list[CallResult]:
    summary = _summary(answer)
    results = _results(summary)
    if results is None or len(results) != count:
        reason = "Pinterest's answer does not tell what became of each event"
        return [Retry(reason=reason, status=answer.status, ambiguous=True)] * count
    processed = summary.get("num_events_processed")
    are_all_processed = type(processed) is int and processed == count
    return [_one(result, answer.status, redact, are_all_processed=are_all_processed) for result in results]


def _summary(answer: Answer) -> dict[str, Any]:
    """Return the body of 200 or the `details` of 422; an empty object if it is missing."""
    body = answer.body if isinstance(answer.body, dict) else {}
    summary = body if answer.status == _OK else body.get("details")
    return summary if isinstance(summary, dict) else {}


def _results(summary: dict[str, Any]) -> list[Any] | None:
    """Return the results of a summary; `None` if they are missing or their number is wrong."""
    results = summary.get("events")
    if not isinstance(results, list) or summary.get("num_events_received", len(results)) != len(results):
        return None
    return results


def _one(result: Any, status: int, redact: Redact, *, are_all_processed: bool) -> CallResult:
    """Return the result of an event; if its status is unknown, by the count of processed events."""
    verdict = result.get("status") if isinstance(result, dict) else None
    if verdict == "failed":  # the schema allows it under 200, too
        reason = _text(result.get("error_message"), redact) or "Pinterest gave no reason"
        return Rejected(reason=reason, status=status)
    if verdict == "processed" or are_all_processed:
        warning = result.get("warning_message") if isinstance(result, dict) else None
        return Delivered(warning=_text(warning, redact), status=status) if warning or status != _OK else _DELIVERED
    # An unknown status alone creates no dead letter: it uses no attempt, and an offline event is sent again.
    return Retry(reason="Pinterest's answer has no known status for this event", status=status, uses_attempt=False)


def _message(answer: Answer, redact: Redact) -> str:
    """Return Pinterest's message; without a message, a text with the status."""
    message = answer.body.get("message") if isinstance(answer.body, dict) else None
    return _text(message, redact) or f"Pinterest answered {answer.status} without a message"


def _text(message: Any, redact: Redact) -> str:
    return redact(message)[:MAX_MESSAGE_CHARACTERS] if isinstance(message, str) else ""
