"""Send events to Pinterest: `POST /v5/ad_accounts/{ad_account_id}/events`.

The client sends finished JSON and returns the response; `results.py` interprets it. The token is in no repr, reason or
error of this module.
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

#: The token, or a function that reads the current one (the next call uses a changed token).
TokenSource: TypeAlias = SecretStr | Callable[[], SecretStr]

#: Share of the total time; the rest is for sending and for Pinterest.
_CONNECT_SHARE = 0.5

#: Maximum size of a response, before and after decompression. A longer response counts as unreadable.
MAX_ANSWER_BYTES: Final = 2_000_000
_GZIP_WBITS: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP response from Pinterest."""

    status: int
    #: The header Retry-After; `None` without one.
    retry_after: str | None
    #: The JSON; `None` if the body is not JSON.
    body: Any
    #: The header Date; `None` without one.
    date: str | None = None

    def clock_fault(self, now: float) -> str:
        """Return the difference between this machine's clock (`now`) and Pinterest's; "" if less than a minute."""
        try:
            ahead_s = now - parsedate_to_datetime(self.date or "").timestamp()
        except (ValueError, OverflowError):
            return ""
        if abs(ahead_s) < MINUTE_S:
            return ""
        minutes = count_of(round(abs(ahead_s) / MINUTE_S), "minute")
        return f"; this machine's clock is {minutes} {'ahead of' if ahead_s > 0 else 'behind'} Pinterest's: correct it"

    def retry_after_s(self, now: float) -> float | None:
        """Return the pause that Pinterest requests, in seconds; `None` if the response has none.

        Retry-After has seconds or a date (RFC 9110, 10.2.3).
        """
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
    """The reason why a call has no response."""

    #: The reason, without secrets and personal data.
    reason: str
    #: The request may have been processed.
    ambiguous: bool
    #: The token is unusable: no request was sent, and a retry would fail too.
    token: bool = False


@cache
def trusted_certificates() -> ssl.SSLContext:
    """Return the trusted certificates of all clients, read once: each read costs 10 ms and 0.7 MB.

    The certificates are those of `certifi`, or of SSL_CERT_FILE or SSL_CERT_DIR.
    """
    return httpx.create_ssl_context()


def http_client(timeout: httpx.Timeout | float, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return a client with this time-out in seconds. `transport` replaces the network; `None`: the network, by TLS."""
    verify = trusted_certificates() if transport is None else True  # other transports need no certificates
    return httpx.AsyncClient(transport=transport, timeout=timeout, verify=verify)


class PinterestClient:
    """Calls Pinterest for an ad account, with its token."""

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
        """Send finished events in a single call, within `timeout_s` in total.

        Pinterest checks `test` events without recording them.
        """
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
        """Return a short digest that identifies the token without revealing it; "" if the token is unreadable."""
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
    """Return Pinterest's response to a request, within `timeout_s` and `MAX_ANSWER_BYTES` in total."""
    request.headers["Accept-Encoding"] = "gzip"  # httpx would accept other encodings, and decompress without a limit
    try:
        async with asyncio.timeout(timeout_s):
            response = await http.send(request, stream=True)
            content = await _read_body(response)
    except (httpx.RequestError, OSError) as exc:
        return _failure_of(exc)
    # A response of httpx and its stream reference each other, and so keep the request's body until garbage collection.
    response.stream = httpx.ByteStream(b"")
    return Answer(
        status=response.status_code,
        retry_after=response.headers.get("Retry-After"),
        body=_json_of(content),
        date=response.headers.get("Date"),
    )


async def _read_body(response: httpx.Response) -> bytes:
    """Return the decompressed body of a response, and close it; empty if it is too long or damaged."""
    is_gzip = response.headers.get("Content-Encoding", "").strip().lower() in {"gzip", "x-gzip"}
    gzip = zlib.decompressobj(_GZIP_WBITS) if is_gzip else None
    content, received = bytearray(), 0
    async with aclosing(cast("httpx.AsyncByteStream", response.stream)) as stream:
        async for chunk in stream:
            received += len(chunk)
            try:
                if gzip is None:
                    content += chunk
                elif not gzip.eof:  # read everything, so that the connection stays open; zlib would collect the rest
                    content += gzip.decompress(chunk, MAX_ANSWER_BYTES + 1 - len(content))
            except zlib.error:
                return b""
            if max(received, len(content)) > MAX_ANSWER_BYTES:
                return b""
    return bytes(content)


#: httpx error -> description, and whether the request may have been processed; the first match applies.
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
    """Return the Failure of an exception of httpx: the reason, and whether the call may have been received."""
    reason, ambiguous = next((reason, ambiguous) for kind, reason, ambiguous in _FAILURES if isinstance(error, kind))
    return Failure(reason=f"{reason}{_tls_fault(error)}", ambiguous=ambiguous)


def _tls_fault(error: BaseException | None) -> str:
    """Return OpenSSL's description of a TLS error, with the remedy; "" for any other error."""
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
    """Parse a response; `None` if it is not JSON."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
