"""The call to Pinterest: `POST /v5/ad_accounts/{ad_account_id}/events`.

It sends finished JSON and brings back what was answered; what that means is decided in `results.py`.
The token is in no repr, reason or error of this module.
"""

import asyncio
import ssl
import zlib
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from hashlib import sha256
from typing import Any, Final, TypeAlias, cast

import httpx
import orjson
from pydantic import SecretStr

from app.config.validators import bare_token
from app.core.values.texts import count_of
from app.core.values.times import MINUTE_S

#: The token, or how to read the one that holds now (a changed one is taken up by the next call).
TokenSource: TypeAlias = SecretStr | Callable[[], SecretStr]

#: Of the whole time; what is left is for sending and for Pinterest.
_CONNECT_SHARE = 0.5

#: Of an answer, before and after decompression. A longer one counts as unreadable.
MAX_ANSWER_BYTES: Final = 2_000_000
_GZIP_WBITS: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer of Pinterest's."""

    status: int
    #: The header Retry-After as it came; None without.
    retry_after: str | None
    #: The JSON; None where the body could not be read as JSON.
    body: Any
    #: The header Date; `None` without one.
    date: str | None = None

    def clock_fault(self, now: float) -> str:
        """Return how far this machine's clock, at `now`, is off Pinterest's; "" if it is less than a minute."""
        try:
            ahead_s = now - parsedate_to_datetime(self.date or "").timestamp()
        except (ValueError, OverflowError):
            return ""
        if abs(ahead_s) < MINUTE_S:
            return ""
        minutes = count_of(round(abs(ahead_s) / MINUTE_S), "minute")
        return f"; this machine's clock is {minutes} {'ahead of' if ahead_s > 0 else 'behind'} Pinterest's: correct it"

    def retry_after_s(self, now: float) -> float | None:
        """Return for how long Pinterest wants to be left alone: seconds or a date (RFC 9110, 10.2.3); None: no word."""
        if self.retry_after is None:
            return None
        if self.retry_after.isascii() and self.retry_after.isdecimal():
            return float(self.retry_after)
        try:
            return max(0.0, parsedate_to_datetime(self.retry_after).timestamp() - now)
        except (ValueError, OverflowError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What stands for the answer to a call where none came."""

    #: Safe to show.
    reason: str
    #: The request may have been processed.
    ambiguous: bool
    #: The token cannot be used: nothing was sent, nor would a repetition help.
    token: bool = False


@cache
def trusted_certificates() -> ssl.SSLContext:
    """Return what the clients of this process trust, read once: each time it takes 10 ms and 0.7 MB.

    It is what comes with `certifi`, or what SSL_CERT_FILE or SSL_CERT_DIR names.
    """
    return httpx.create_ssl_context()


def http_client(timeout: httpx.Timeout | float, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return a client of so many seconds. `transport` stands for the network; None: the network, by TLS."""
    verify = trusted_certificates() if transport is None else True  # no other transport asks for certificates
    return httpx.AsyncClient(transport=transport, timeout=timeout, verify=verify)


class PinterestClient:
    """Calls Pinterest for one ad account, with its token."""

    def __init__(
        self,
        *,
        api_url: str,
        ad_account_id: str,
        token: TokenSource,
        timeout_s: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = f"{api_url.rstrip('/')}/ad_accounts/{ad_account_id}/events"
        self._token = token
        self._timeout_s = timeout_s
        connect_s = timeout_s * _CONNECT_SHARE
        timeout = httpx.Timeout(timeout_s, connect=connect_s, pool=connect_s)
        self._http = http_client(timeout, transport)

    async def send(self, payloads: Sequence[bytes], *, test: bool = False) -> Answer | Failure:
        """Send finished events in one call, within `timeout_s` in all. `test` events are judged, not recorded."""
        try:
            headers = {
                "Authorization": f"Bearer {bare_token(self._read_token().get_secret_value())}",
                "Content-Type": "application/json",
            }
        except (OSError, ValueError):
            return Failure(reason="the conversion token cannot be read or used", ambiguous=False, token=True)
        request = self._http.build_request(
            "POST",
            self._url,
            content=b'{"data":[' + b",".join(payloads) + b"]}",
            headers=headers,
            params={"test": "true"} if test else None,
        )
        return await answer_of(self._http, request, self._timeout_s)

    def fingerprint(self) -> str:
        """Return a short digest that tells one token from another without showing it; "" where it cannot be read."""
        try:
            return sha256(self._read_token().get_secret_value().encode()).hexdigest()[:12]
        except (OSError, ValueError):
            return ""

    async def close(self) -> None:
        """Close the connections to Pinterest."""
        await self._http.aclose()

    def _read_token(self) -> SecretStr:
        return self._token() if callable(self._token) else self._token


async def answer_of(http: httpx.AsyncClient, request: httpx.Request, timeout_s: float) -> Answer | Failure:
    """Return what Pinterest answers to a request, within `timeout_s` and `MAX_ANSWER_BYTES` in all."""
    request.headers["Accept-Encoding"] = "gzip"  # httpx would ask for others too, and decompress without a bound
    try:
        async with asyncio.timeout(timeout_s):
            response = await http.send(request, stream=True)
            content = await _read_body(response)
    except (httpx.RequestError, OSError) as exc:
        return _failure_of(exc)
    # httpx' response and its stream hold each other, and with them the request's body, until garbage is collected.
    response.stream = httpx.ByteStream(b"")
    return Answer(
        status=response.status_code,
        retry_after=response.headers.get("Retry-After"),
        body=_json_of(content),
        date=response.headers.get("Date"),
    )


async def _read_body(response: httpx.Response) -> bytes:
    """Return the decompressed body of an answer, and close it; empty if it is too long or damaged."""
    is_gzip = response.headers.get("Content-Encoding", "").strip().lower() in {"gzip", "x-gzip"}
    gzip = zlib.decompressobj(_GZIP_WBITS) if is_gzip else None
    content, received = bytearray(), 0
    async with aclosing(cast("httpx.AsyncByteStream", response.stream)) as stream:
        async for chunk in stream:
            received += len(chunk)
            try:
                if gzip is None:
                    content += chunk
                elif not gzip.eof:  # all is read, so that the connection stays open; zlib would collect what follows
                    content += gzip.decompress(chunk, MAX_ANSWER_BYTES + 1 - len(content))
            except zlib.error:
                return b""
            if max(received, len(content)) > MAX_ANSWER_BYTES:
                return b""
    return bytes(content)


#: httpx error -> what happened, whether the request may have been processed; the first that fits holds.
#: https://www.python-httpx.org/exceptions/
_FAILURES: tuple[tuple[type[Exception], str, bool], ...] = (
    (httpx.ConnectTimeout, "Pinterest could not be reached in time", False),
    (httpx.ConnectError, "Pinterest could not be reached", False),
    (httpx.PoolTimeout, "no connection was free in time", False),
    (httpx.ProxyError, "the proxy refused the connection", False),
    (httpx.UnsupportedProtocol, "PINTEREST_API_URL must begin with http:// or https://", False),
    (httpx.LocalProtocolError, "the request could not be made", False),
    (httpx.TimeoutException, "Pinterest did not answer in time", True),
    (TimeoutError, "Pinterest did not answer in time", True),
    (httpx.RequestError, "the connection broke before the answer was complete", True),
    (OSError, "the connection broke before the answer was complete", True),  # transports within the process
)


def _failure_of(error: Exception) -> Failure:
    """Return what an exception of httpx means: whether the call may have arrived, and why no answer came."""
    reason, ambiguous = next((reason, ambiguous) for kind, reason, ambiguous in _FAILURES if isinstance(error, kind))
    return Failure(reason=f"{reason}{_tls_fault(error)}", ambiguous=ambiguous)


def _tls_fault(error: BaseException | None) -> str:
    """Return what is wrong with TLS, as OpenSSL says it, with what to check; "" for any other error."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    if isinstance(error, ssl.SSLCertVerificationError):
        said = f"its TLS certificate is rejected ({error.verify_message})"
    elif error is not None:
        said = f"TLS fails ({error.reason or type(error).__name__})"
    else:
        return ""
    return f": {said}; check this machine's clock, SSL_CERT_FILE, and proxies that inspect TLS"


def _json_of(content: bytes) -> Any:
    """Read an answer; None where it is no JSON."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
