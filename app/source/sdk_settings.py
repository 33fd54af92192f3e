"""Serve the settings of browser and mobile SDKs: Segment's from its CDN, RudderStack's from its control plane.

GET /v1/projects/{write key}/settings    Segment's settings
GET /sourceConfig/                       RudderStack's source config, by Basic authentication with the write key

In Segment's SDKs for Swift and Kotlin the API host of this response overrides the app's own configuration, and
analytics-next uses it if the page sets none. So an SDK with this server as its CDN host also sends its events here.
Source: SegmentDestination.update in segmentio/analytics-swift and analytics-kotlin.

RudderStack's SDKs send no events before they have their source config; the page or app sets the host for events.
Source: `isValidSourceConfig` in packages/analytics-js of rudderlabs/rudder-sdk-js.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from app.core.refusals import NO_SOURCE
from app.core.values.addresses import names_loopback, without_port
from app.source.auth import MISSING_KEY_CHECK, UNKNOWN_KEY_CHECK, WriteKeys, basic_user
from app.source.openapi import SETTINGS_ANSWERS, SETTINGS_PARAMETERS, SOURCE_CONFIG_ANSWERS
from app.source.responses import UNAUTHENTICATED, UNKNOWN_HOST, UNKNOWN_KEY, answer, answer_refusal

#: The second path is requested if the CDN host is configured without `/v1`.
_PATHS = ("/v1/projects/{key}/settings", "/projects/{key}/settings")
#: Browsers request the path with the slash, apps without it. HEAD tests whether the host is reachable.
_SOURCE_CONFIG_PATHS = ("/sourceConfig/", "/sourceConfig")
#: The name of a source if any key is accepted.
_NO_NAME = "default"


def sdk_settings_router(write_keys: WriteKeys, *, is_open: bool, public_hosts: Sequence[str]) -> APIRouter:
    """Build the routes; with `is_open` any key is accepted.

    SDKs get the requested host only if it belongs to this server: a loopback name, or a name in `public_hosts`.
    """
    router = APIRouter(tags=["tracking"])
    show = _settings_handler(write_keys, is_open=is_open, public_hosts=public_hosts)
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
    config = _source_config_handler(write_keys, is_open=is_open)
    for path in _SOURCE_CONFIG_PATHS:
        is_first = path == _SOURCE_CONFIG_PATHS[0]
        router.add_api_route(
            path,
            config,
            methods=["GET"],
            include_in_schema=is_first,
            summary="Tell RudderStack's SDK that its source is there",
            responses=SOURCE_CONFIG_ANSWERS,
        )
        router.add_api_route(path, config, methods=["HEAD"], include_in_schema=False)
    return router


def _source_config_handler(write_keys: WriteKeys, *, is_open: bool) -> Callable[[Request], Awaitable[Response]]:
    async def show_source_config(request: Request) -> Response:
        offered = basic_user(request.headers.get("authorization")), request.query_params.get("writeKey")
        name = write_keys.source(*offered)
        if name is None and not is_open:
            (UNKNOWN_KEY_CHECK if any(offered) else MISSING_KEY_CHECK).note(request.scope, NO_SOURCE)
            return answer_refusal(UNAUTHENTICATED)
        key = next(filter(None, offered), "")
        return answer(orjson.dumps(_source_config(name or _NO_NAME, key)))

    return show_source_config


def _source_config(name: str, key: str) -> dict[str, Any]:
    """Return the config of an enabled source, with no destination on the device and no reports to RudderStack."""
    nothing = {"enabled": False}
    return {
        "source": {
            "id": name,
            "name": name,
            "writeKey": key,
            "enabled": True,
            "config": {"statsCollection": {"errors": nothing, "metrics": nothing}},
            "destinations": [],
        }
    }


def _settings_handler(
    write_keys: WriteKeys, *, is_open: bool, public_hosts: Sequence[str]
) -> Callable[[Request], Awaitable[Response]]:
    async def show_settings(request: Request) -> Response:
        key = request.path_params["key"]
        if not is_open and write_keys.source(key) is None:
            return answer_refusal(UNKNOWN_KEY)
        host = _own_host(request.headers.get("host", ""), public_hosts)
        if host is None:
            return answer_refusal(UNKNOWN_HOST)
        scheme = request.headers.get("x-forwarded-proto", request.url.scheme)  # a false value only harms its sender
        protocol = "https" if scheme.startswith("https") else "http"
        return answer(orjson.dumps(_settings(key, host, protocol)))

    return show_settings


def _own_host(asked: str, public_hosts: Sequence[str]) -> str | None:
    """Return the host for an SDK: the requested host if it belongs to this server, otherwise a public host.

    The public host is the first of `public_hosts`, or `None`: a forged `Host` must never redirect events.
    """
    names = {name.lower() for name in public_hosts}
    if names_loopback(asked) or {asked.lower(), without_port(asked)} & names:
        return asked
    return next(iter(public_hosts), None)


def _settings(key: str, host: str, protocol: str) -> dict[str, Any]:
    """Return settings with the host, no destination on the device and no metrics."""
    return {
        "integrations": {"Segment.io": {"apiKey": key, "apiHost": f"{host}/v1", "protocol": protocol}},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "edgeFunction": {},
        "middlewareSettings": {},
        "metrics": {"sampleRate": 0},
    }
