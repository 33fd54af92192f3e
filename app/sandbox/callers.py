"""Who calls the sandbox, and for whose account: one rule for what is sent and for what is read."""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.sandbox.replies import error

_ACCOUNT: Final = re.compile(r"[0-9]{1,18}")


def token_shown(request: Request) -> str:
    """Return the access token of a request; "" where it has none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def account_refusal(request: Request, ad_account_id: str | None) -> Response | None:
    """Check the ad account of the path against the one that there is, None means any: 400 or 403."""
    asked = request.path_params["ad_account_id"]
    if not _ACCOUNT.fullmatch(asked):
        return error(400, "Invalid request: ad_account_id must be digits, at most 18")
    return error(403) if ad_account_id not in (None, asked) else None
