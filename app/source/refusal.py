"""Why a request as a whole is turned away: a closed list, each with its status, its code and a remedy.

No text here ever holds a part of the request.
"""

from dataclasses import dataclass

from app.errors import EventError


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One reason to turn a whole request away."""

    #: The HTTP status.
    status: int
    #: For programs; never changes.
    code: str
    #: For people: a sentence and a remedy.
    message: str
    #: The rest of the body is not awaited: the connection is closed after the answer.
    closes: bool = False
    #: When to come again; None where the same request will never be taken.
    retry_after_s: int | None = None


BROKEN_JSON = Refusal(
    status=400,
    code="broken_json",
    message="The body is not JSON in UTF-8, plain or gzipped. Send one event, or an array of events.",
)
TOO_DEEP = Refusal(status=400, code="too_deep", message="The JSON is nested too deeply. Send flatter events.")
UNAUTHENTICATED = Refusal(
    status=401,
    code="unauthenticated",
    message="The request does not prove who sent it. Check the shared secret, the header or the write key.",
)
UNKNOWN_KEY = Refusal(status=404, code="unknown_write_key", message="No source has this write key. Check WRITE_KEYS.")
UNKNOWN_SOURCE = Refusal(
    status=404, code="unknown_source", message="There is no source of this name. Check SOURCES_DIR and SOURCES."
)
NO_PIXEL = Refusal(
    status=405, code="method_not_allowed", message="This source takes no GET. POST to it, or set `pixel: true`."
)
UNSUPPORTED = Refusal(
    status=415,
    code="unsupported_content",
    message="This content type is not read. Send JSON, newline-delimited JSON, a form, or a CloudEvent in JSON.",
)
UNKNOWN_HOST = Refusal(
    status=421,
    code="unknown_host",
    message="This server does not know itself by that name. Name it in PUBLIC_HOSTS.",
)
TOO_SLOW = Refusal(
    status=408, code="too_slow", message="The body did not arrive in time. Send it again in one go.", closes=True
)
TOO_LARGE = Refusal(
    status=413, code="too_large", message="The body is larger than this endpoint takes. Send fewer events.", closes=True
)
TOO_MANY = Refusal(
    status=413, code="too_many_events", message="The request holds too many events. Send them in smaller batches."
)
OVER_QUOTA = Refusal(
    status=429,
    code="over_quota",
    message="The source has used up its quota (WRITE_KEY_LIMITS, or `limits` in its file). Send the same request again "
    "later.",
)
NO_ROOM = Refusal(
    status=503,
    code="unavailable",
    message="The events cannot be kept now. Send the same request again later.",
    retry_after_s=5,
)
INTERNAL_ERROR = Refusal(
    status=500,
    code="internal_error",
    message="Something failed here that should not; the log says what. Send the same request again later.",
)

REFUSALS = (
    *(BROKEN_JSON, TOO_DEEP, UNAUTHENTICATED, UNKNOWN_KEY, UNKNOWN_SOURCE, UNKNOWN_HOST, TOO_SLOW, TOO_LARGE),
    *(NO_PIXEL, UNSUPPORTED, TOO_MANY),
    *(OVER_QUOTA, INTERNAL_ERROR, NO_ROOM),
)


class RequestRefused(EventError):
    """The request as a whole is turned away."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.message)
