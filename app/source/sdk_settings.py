"""GET /v1/projects/{write key}/settings: what browser and mobile SDKs ask first of Segment's CDN.

Swift and Kotlin take the API host from this answer over the one in the app's own configuration, and analytics-next
takes it where the page names none. So whoever points an SDK's CDN host here has pointed its events here as well.
Source: SegmentDestination.update in segmentio/analytics-swift and analytics-kotlin.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from app.source.auth import WriteKeys
from app.source.documentation import SETTINGS_ANSWERS, SETTINGS_PARAMETERS
from app.source.refusal import UNKNOWN_KEY
from app.source.responses import answer, answer_refusal

#: The second is asked where the CDN host is given without `/v1`.
_PATHS = ("/v1/projects/{key}/settings", "/projects/{key}/settings")


def sdk_settings_router(write_keys: WriteKeys, *, is_open: bool) -> APIRouter:
    """Build the routes; where nothing has to be proven any key is known."""
    router = APIRouter(tags=["tracking"])
    show = _settings_handler(write_keys, is_open=is_open)
    for path in _PATHS:
        router.add_api_route(
            path,
            show,
            methods=["GET"],
            include_in_schema=path == _PATHS[0],
            summary="Tell an SDK where to send its events",
            openapi_extra={"parameters": SETTINGS_PARAMETERS},
            responses=SETTINGS_ANSWERS,
        )
    return router


def _settings_handler(write_keys: WriteKeys, *, is_open: bool) -> Callable[[Request], Awaitable[Response]]:
    async def show_settings(request: Request) -> Response:
        key = request.path_params["key"]
        if not is_open and write_keys.source(key) is None:
            return answer_refusal(UNKNOWN_KEY)
        scheme = request.headers.get("x-forwarded-proto", request.url.scheme)  # a lie harms the liar only
        protocol = "https" if scheme.startswith("https") else "http"
        return answer(orjson.dumps(_settings(key, request.url.netloc, protocol)))

    return show_settings


def _settings(key: str, host: str, protocol: str) -> dict[str, Any]:
    """Return settings that name the host that was asked, no destination on the device and no metrics."""
    return {
        "integrations": {"Segment.io": {"apiKey": key, "apiHost": f"{host}/v1", "protocol": protocol}},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "edgeFunction": {},
        "middlewareSettings": {},
        "metrics": {"sampleRate": 0},
    }
