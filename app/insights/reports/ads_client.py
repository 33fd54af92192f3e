"""Pinterest's API of ads, with an access token that has the scope `ads:read`; to delete, also `ads:write`.

No token is in any error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Protocol

import httpx
from pydantic import SecretStr

from app.config.validators import bare_token
from app.core.shared_values import ADS_TOKEN, SealedToken, SharedValues
from app.destination.client import Answer, Failure, answer_of, http_client
from app.outbox.sealed_events import Sealer


class AdsClient:
    """Calls that read, those that delete, and the call that renews the token."""

    def __init__(self, *, api_url: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = api_url.rstrip("/")
        self._timeout_s = timeout_s
        self._http = http_client(timeout_s, transport)

    async def get(self, path: str, token: SecretStr, params: Mapping[str, str]) -> Answer | Failure:
        return await self.call("GET", path, token, params=params)

    async def call(
        self,
        method: str,
        path: str,
        token: SecretStr,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer | Failure:
        """Return Pinterest's response, within `timeout_s` in total."""
        try:
            headers = {"Authorization": f"Bearer {bare_token(token.get_secret_value())}"}
        except ValueError:
            return Failure(reason="the token cannot be used: it holds what no token holds", ambiguous=False, token=True)
        request = self._http.build_request(method, self._url + path, params=params, json=body, headers=headers)
        return await answer_of(self._http, request, self._timeout_s)

    async def refresh(self, client_id: str, client_secret: SecretStr, refresh_token: SecretStr) -> Answer | Failure:
        """Request a new access token, together with a new refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value()}
        request = self._http.build_request("POST", f"{self._url}/oauth/token", data=form)
        signed = httpx.BasicAuth(client_id, client_secret.get_secret_value())
        return await answer_of(self._http, next(signed.auth_flow(request)), self._timeout_s)

    async def close(self) -> None:
        await self._http.aclose()


#: A token with a shorter remaining lifetime is renewed.
_BEFORE_ITS_END_S: Final = 600
_SERVER_ERROR: Final = 500
_OK, _TOO_MANY = 200, 429


@dataclass(frozen=True, slots=True)
class NoToken:
    """No token is usable, with the reason."""

    #: The problem and its remedy.
    why: str
    #: An operator must create a new token; otherwise the problem may be temporary.
    is_over: bool


class AdsToken(Protocol):
    """The source of the token."""

    async def current(self, now: float, *, refused: bool = False) -> SecretStr | NoToken:
        """Return the current token; `refused`: Pinterest refused the last one. May raise OutboxUnavailable."""


class FixedToken:
    """A constant token, from PINTEREST_ADS_TOKEN."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    async def current(self, now: float, *, refused: bool = False) -> SecretStr | NoToken:  # noqa: ARG002 - it has no age here
        if refused:
            return NoToken(
                "Pinterest does not take PINTEREST_ADS_TOKEN (401): it has expired, so make a new one", is_over=True
            )
        return self._token


class RotatingToken:
    """A token that is renewed with client id and secret, starting with the refresh token of the settings."""

    def __init__(
        self,
        shared: SharedValues,
        client: AdsClient,
        sealer: Sealer,
        *,
        client_id: str,
        client_secret: SecretStr,
        first: SecretStr,
    ) -> None:
        self._shared = shared
        self._client = client
        self._sealer = sealer
        self._client_id = client_id
        self._client_secret = client_secret
        self._first = first
        self._origin = sha256(first.get_secret_value().encode()).hexdigest()[:16]

    async def current(self, now: float, *, refused: bool = False) -> SecretStr | NoToken:
        """Return the token, renewed if it expires soon; a new token is stored before its use.

        A crash in between costs nothing if Pinterest still accepts the previous refresh token: all known ones are
        tried, the newest first. Another refresh token in the settings replaces the stored ones.
        """
        stored = await ADS_TOKEN.read_revised(self._shared)
        kept = self._opened(stored.value)
        if kept and not refused and kept["expires_at"] - now > _BEFORE_ITS_END_S:
            return SecretStr(kept["access_token"])
        tries = [SecretStr(kept["refresh_token"])] if kept else []
        for refresh_token in [*tries, self._first]:
            answer = await self._client.refresh(self._client_id, self._client_secret, refresh_token)
            if renewed := _renewed(answer, refresh_token, now):
                sealed = SealedToken(origin=self._origin, sealed=self._sealer.seal(renewed) or "")
                await ADS_TOKEN.write(self._shared, sealed, revision=stored.revision)
                return SecretStr(renewed["access_token"])
            why = _why_not(answer)
            if not why.is_over:
                break
        return why

    def _opened(self, stored: SealedToken | None) -> dict[str, Any] | None:
        """Return the stored tokens if they stem from the refresh token of the settings and can be decrypted."""
        return self._sealer.open(stored.sealed) if stored and stored.origin == self._origin else None


def _renewed(answer: Answer | Failure, used: SecretStr, now: float) -> dict[str, Any] | None:
    """Return the tokens to store; `None` if the renewal failed. Without a new refresh token the previous one stays."""
    body = answer.body if isinstance(answer, Answer) and answer.status == _OK else None
    if not isinstance(body, Mapping) or not isinstance(body.get("access_token"), str):
        return None
    expires_in = body.get("expires_in")
    return {
        "access_token": body["access_token"],
        "refresh_token": str(body.get("refresh_token") or used.get_secret_value()),
        "expires_at": now + (expires_in if isinstance(expires_in, int | float) else 0),
    }


def _why_not(answer: Answer | Failure) -> NoToken:
    if isinstance(answer, Failure):
        return NoToken(f"the token cannot be renewed: {answer.reason}", is_over=False)
    if answer.status >= _SERVER_ERROR or answer.status in (_OK, _TOO_MANY):
        return NoToken(f"the token cannot be renewed now: Pinterest answers {answer.status}", is_over=False)
    told = f"Pinterest no longer takes the refresh token ({answer.status}): make a new one for PINTEREST_APP"
    return NoToken(told, is_over=True)
