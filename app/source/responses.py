"""Responses to senders: JSON without any part of the request, and the reasons to refuse a request."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, TypeAlias

import orjson
from fastapi import Request, Response
from msgspec import structs

from app.core.events import Outcome
from app.core.receipts import EventReceipt, PresetResult, Receipt
from app.core.refusals import NO_SOURCE, FailedCheck
from app.errors import EventError, OutboxUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A reason to refuse a whole request."""

    status: int
    #: For programs; never changes.
    code: str
    #: For people: a sentence and a remedy.
    message: str
    #: The connection is closed after the response, without reading the rest of the body.
    closes: bool = False
    #: When the sender may repeat the request, in seconds; `None` if the same request will never be accepted.
    retry_after_s: int | None = None
    #: The settings that configure the check; "" if there are none, or if each raiser sets its own check.
    setting: str = ""


BROKEN_JSON = Refusal(
    status=400,
    code="broken_json",
    message="The body is not JSON in UTF-8, plain or packed by gzip, deflate or zstd. Send one event, an array of "
    "events, or one event a line.",
)
TOO_DEEP = Refusal(status=400, code="too_deep", message="The JSON is nested too deeply. Send flatter events.")
UNAUTHENTICATED = Refusal(
    status=401,
    code="unauthenticated",
    message="The request is not authenticated. Check the shared secret, the header or the write key.",
)
CLOSED = Refusal(
    status=401,
    code="unauthenticated",
    message="/webhook is closed, since it has no secret and other sources have one. Set WEBHOOK_SHARED_SECRETS or "
    "WEBHOOK_HEADER, or send to /webhook/NAME of your source.",
)
UNKNOWN_KEY = Refusal(status=404, code="unknown_write_key", message="No source has this write key. Check WRITE_KEYS.")
NO_LIBRARY = Refusal(
    status=404,
    code="no_library",
    message="Segment's browser library is not installed. Run `make browser-library` in the checkout, then restart or "
    "build the image again; the wheel of a release has it.",
)
UNKNOWN_BUNDLE = Refusal(
    status=404, code="unknown_bundle", message="This version of the library has no such part. Reload the page."
)
UNKNOWN_SOURCE = Refusal(
    status=404, code="unknown_source", message="There is no source of this name. Check SOURCES_DIR and SOURCES."
)
NO_PIXEL = Refusal(
    status=405, code="method_not_allowed", message="This source does not accept GET. Use POST, or set `pixel: true`."
)
UNSUPPORTED = Refusal(
    status=415,
    code="unsupported_content",
    message="This content type is not supported. Send JSON, newline-delimited JSON, a form, or a CloudEvent in JSON.",
)
UNSUPPORTED_ENCODING = Refusal(
    status=415,
    code="unsupported_encoding",
    message="This Content-Encoding is not read. Send the body plain, or packed by gzip, deflate (with zlib's header) "
    "or zstd.",
)
UNKNOWN_HOST = Refusal(
    status=421,
    code="unknown_host",
    message="The host name is not one of this server's. Add it to PUBLIC_HOSTS.",
)
TOO_SLOW = Refusal(
    status=408, code="too_slow", message="The body did not arrive in time. Send it again in one go.", closes=True
)
TOO_LARGE = Refusal(
    status=413,
    code="too_large",
    message="The body is too large for this endpoint. Send fewer events.",
    closes=True,
    setting="MAX_DECOMPRESSED_BYTES, `limits` of the source",
)
TOO_MANY = Refusal(
    status=413,
    code="too_many_events",
    message="The request holds too many events. Send them in smaller batches.",
    setting="MAX_EVENTS_PER_REQUEST, `limits` of the source",
)
OVER_QUOTA = Refusal(
    status=429,
    code="over_quota",
    message="The source has used up its quota (WRITE_KEY_LIMITS, or `limits` in its file). Send the same request again "
    "later.",
    setting="WRITE_KEY_LIMITS, `limits` of the source",
)
NO_ROOM = Refusal(
    status=503,
    code="unavailable",
    message="The events cannot be stored now. Send the same request again later.",
    retry_after_s=5,
)
INTERNAL_ERROR = Refusal(
    status=500,
    code="internal_error",
    message="Internal error: see the log. Send the same request again later.",
)

REFUSALS = (
    *(BROKEN_JSON, TOO_DEEP, UNAUTHENTICATED, UNKNOWN_KEY, UNKNOWN_SOURCE, UNKNOWN_HOST, TOO_SLOW, TOO_LARGE),
    *(NO_PIXEL, UNSUPPORTED, UNSUPPORTED_ENCODING, TOO_MANY, NO_LIBRARY, UNKNOWN_BUNDLE),
    *(OVER_QUOTA, INTERNAL_ERROR, NO_ROOM),
)


class RequestRefused(EventError):
    """The whole request is refused."""

    def __init__(self, refusal: Refusal, check: FailedCheck | None = None) -> None:
        """Store the refusal, and the failed check if the refusal does not determine it."""
        self.refusal = refusal
        self.check = check
        super().__init__(refusal.message)


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

#: The successful response to SDKs, and to shops that test an address.
SUCCESS: Final = b'{"success": true}'
#: Supported values of `Content-Encoding`. Another value is only reported if the body is unreadable, so that valid
#: requests need no check.
_ENCODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate", "zstd"})
_UNREAD: Final = (BROKEN_JSON, UNAUTHENTICATED)
_UNUSABLE = frozenset({Outcome.REFUSED, Outcome.INVALID})


def answer(content: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response with serialised JSON."""
    return Response(content, status_code=status, headers=headers, media_type="application/json")


def answer_refusal(refusal: Refusal) -> Response:
    """Return the response to a refused request; SDKs read `code`, `message` or `error` of the object."""
    return answer(refusal_json(refusal.code, refusal.message), refusal.status, _headers(refusal))


def answering_refusals(handle: Handler, source: str = NO_SOURCE) -> Handler:
    """Return a handler that also converts RequestRefused and OutboxUnavailable to responses.

    `source` is the source of a refused request if the handler knows none.
    """

    @wraps(handle)
    async def answer_or_refuse(request: Request) -> Response:
        try:
            return await handle(request)
        except RequestRefused as exc:
            unread = exc.refusal in _UNREAD and not is_read_encoding(request)
            refusal = UNSUPPORTED_ENCODING if unread else exc.refusal
            default = FailedCheck(refusal.code.replace("_", " "), refusal.setting)
            (default if unread else exc.check or default).note(request.scope, source)
            return answer_refusal(refusal)
        except OutboxUnavailable as exc:
            return answer_unavailable(request, exc)

    return answer_or_refuse


def is_read_encoding(request: Request) -> bool:
    """Return whether the `Content-Encoding` of a request is supported."""
    return request.headers.get("content-encoding", "").strip().lower() in _ENCODINGS


def answer_unavailable(request: Request, exc: OutboxUnavailable) -> Response:
    """Tell the sender to repeat the request. The reason is stored in `request.state.why`, for operators."""
    request.state.why = exc.why
    content = refusal_json(NO_ROOM.code, NO_ROOM.message)
    return answer(content, NO_ROOM.status, {"Retry-After": str(exc.retry_after_s)})


def _headers(refusal: Refusal) -> dict[str, str]:
    headers = {"Connection": "close"} if refusal.closes else {}
    if refusal is UNSUPPORTED_ENCODING:
        headers["Accept-Encoding"] = "gzip, deflate, zstd"
    return headers if refusal.retry_after_s is None else {**headers, "Retry-After": str(refusal.retry_after_s)}


def refusal_json(code: str, message: str) -> bytes:
    """Return an error in the format of Segment's SDKs: Ruby's reads `error`, Python's `code` and `message`."""
    return orjson.dumps({"code": code, "message": message, "error": message})


def is_unusable(receipt: Receipt) -> bool:
    """Return whether no event of the request can ever be used: all are refused or invalid."""
    lines = [line for event in receipt.events for line in event.deliveries]
    return bool(lines) and all(line.outcome in _UNUSABLE for line in lines)


def without_memory(receipt: Receipt) -> Receipt:
    """Return the receipt for senders that must not learn the content of memory.

    It only has accepted events and the reasons of refused ones. The outcome of an accepted event would reveal that
    memory has an identifier of its person, or that another event, completed from memory, was equal.
    """
    accepted = (PresetResult(preset=None, outcome=Outcome.ACCEPTED),)
    events = tuple(
        event
        if any(line.outcome is Outcome.REFUSED for line in event.deliveries)
        else EventReceipt(message_id=event.message_id, deliveries=accepted, is_trusted=event.is_trusted)
        for event in receipt.events
    )
    counts = {
        outcome: receipt.counts[outcome] for outcome in (Outcome.ACCEPTED, Outcome.REFUSED) if outcome in receipt.counts
    }
    return Receipt(events=events, counts=counts)


def receipt_json(receipt: Receipt, *, source: str | None = None) -> bytes:
    """Return a receipt as JSON, with the name of the `source` if it is given.

    {"counts": {"accepted": 1, ...}, "events": [{"message_id": ..., "deliveries": [{"preset": ..., "outcome": ...,
    "reason": ..., "warnings": [...]}], "trust": "trusted"}]}; a preview's lines also have the finished "event". An
    event that changed memory also has "to_memory": {"groups": [...], "linked": ..., "erased": ..., "marked": ...}.
    """
    counts = {outcome.value: count for outcome, count in receipt.counts.items()}
    named = {} if source is None else {"source": source}
    lines = {id(event.deliveries): event.deliveries for event in receipt.events}  # most events share theirs
    deliveries = {key: list(map(_line, its_lines)) for key, its_lines in lines.items()}
    events = [_event(event, deliveries[id(event.deliveries)]) for event in receipt.events]
    return orjson.dumps({**named, "counts": counts, "events": events})


def event_json(event: EventReceipt) -> dict[str, Any]:
    """Return an event of a receipt in a form for JSON."""
    return _event(event, list(map(_line, event.deliveries)))


def _event(event: EventReceipt, deliveries: list[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {"message_id": event.message_id, "deliveries": deliveries}
    if event.is_trusted is not None:
        told["trust"] = "trusted" if event.is_trusted else "public"
    if event.given is not None:
        told["to_memory"] = structs.asdict(event.given)
    return told


def _line(line: PresetResult) -> dict[str, Any]:
    told: dict[str, Any] = {
        "preset": line.preset,
        "outcome": line.outcome,
        "reason": line.reason,
        "warnings": line.warnings,
    }
    if line.destination:
        told["destination"] = line.destination
    if line.event is not None:
        told["event"] = line.event
    if line.memory is not None:
        told["memory"] = {group: {"age_s": each.age_s, "by": each.by} for group, each in line.memory.items()}
    return told
