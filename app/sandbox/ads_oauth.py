"""Access tokens to Pinterest's figures, given out for a refresh token, which is another one each time."""

import secrets
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.replies import error, json_answer

_LASTS_S: Final = 2_592_000


class TokensGiven:
    """The refresh and access tokens that hold, and what is given for them."""

    def __init__(self, first: SecretStr | None, clock: Callable[[], float]) -> None:
        """Take the refresh token that is the first; with None any refresh token and any access token will do."""
        self._takes_any = first is None
        #: The newest, and the one that it was given for, which holds until the newest is used.
        self._refresh_tokens = [first.get_secret_value()] if first else []
        self._expires_at: dict[str, float] = {}
        self._clock = clock

    def holds(self, access_token: str) -> bool:
        """Return whether an access token was given out and is not over."""
        return self._takes_any or self._expires_at.get(access_token, 0) > self._clock()

    async def give(self, request: Request) -> Response:
        """Take a refresh token for new ones: 401 for who asks, 400 for what is asked."""
        if not _is_signed(request.headers.get("authorization", "")):
            return error(401)
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "refresh_token":
            return error(400, "Invalid request: grant_type is not one that the sandbox knows")
        given = form.get("refresh_token", "")
        if not given or (not self._takes_any and given not in self._refresh_tokens):
            return error(400, "Invalid request: the refresh token is not known, or was used before")
        access, following = (f"{kind}_{secrets.token_hex(8)}" for kind in ("pina", "pinr"))
        self._refresh_tokens = [following, given]
        self._expires_at[access] = self._clock() + _LASTS_S
        return json_answer(
            {
                "response_type": "refresh_token",
                "access_token": access,
                "token_type": "bearer",
                "expires_in": _LASTS_S,
                "scope": form.get("scope", "ads:read"),
                "refresh_token": following,
            }
        )


def _is_signed(header: str) -> bool:
    """Whether there is a client id and its secret."""
    scheme, _, coded = header.partition(" ")
    try:
        name, _, secret = b64decode(coded).decode().partition(":")
    except (NoBase64, UnicodeDecodeError):
        return False
    return scheme.lower() == "basic" and bool(name and secret)
