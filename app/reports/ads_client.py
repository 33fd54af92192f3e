"""Reading from Pinterest's API of ads, with an access token that has the scope `ads:read`. No token is in any error."""

from collections.abc import Mapping

import httpx
from pydantic import SecretStr

from app.destination.client import Answer, Failure, answer_of, http_client, usable_token

#: Whoever renews a token asks for this.
SCOPE = "ads:read"


class AdsClient:
    """Calls that only read, and the one that renews the token."""

    def __init__(self, *, api_url: str, timeout_s: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._url = api_url.rstrip("/")
        self._timeout_s = timeout_s
        self._http = http_client(timeout_s, transport)

    async def get(self, path: str, token: SecretStr, params: Mapping[str, str]) -> Answer | Failure:
        """Return what Pinterest answers, within `timeout_s` in all."""
        try:
            headers = {"Authorization": f"Bearer {usable_token(token)}"}
        except ValueError:
            return Failure(reason="the token cannot be used: it holds what no token holds", ambiguous=False, token=True)
        request = self._http.build_request("GET", self._url + path, params=params, headers=headers)
        return await answer_of(self._http, request, self._timeout_s)

    async def refresh(self, client_id: str, client_secret: SecretStr, refresh_token: SecretStr) -> Answer | Failure:
        """Ask for a new access token, and a new refresh token with it."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value(), "scope": SCOPE}
        request = self._http.build_request("POST", f"{self._url}/oauth/token", data=form)
        signed = httpx.BasicAuth(client_id, client_secret.get_secret_value())
        return await answer_of(self._http, next(signed.auth_flow(request)), self._timeout_s)

    async def close(self) -> None:
        """Close the connections to Pinterest."""
        await self._http.aclose()
