"""Endpoints for pages of a shop: `/pinrelay.js`, the cookie of the click id, the tag check, Segment's library.

In Safari a cookie from a script lasts seven days, and a cookie from a server of the shop's domain as long as specified
(https://webkit.org/blog/8613/intelligent-tracking-prevention-2-1/). So if the settings contain that domain, a page with
consent can renew `_epik`, which Pinterest's tag and `/pinrelay.js` read.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import orjson
from fastapi import APIRouter, Request, Response
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.shared_values import TagCall
from app.core.values.addresses import without_port
from app.core.values.event_names import EVENT_NAMES
from app.core.values.hidden_emails import unpersonal_id
from app.core.values.placeholders import is_no_id
from app.core.values.times import DAY_S
from app.source.auth import MISSING_KEY_CHECK, UNKNOWN_KEY_CHECK, WriteKeys
from app.source.body import Limits, receive
from app.source.responses import (
    NO_LIBRARY,
    UNAUTHENTICATED,
    UNKNOWN_BUNDLE,
    UNKNOWN_KEY,
    Handler,
    RequestRefused,
    answering_refusals,
)

_SCRIPT: Final = (Path(__file__).parent / "pinrelay.js").read_bytes()
_ETAG: Final = f'"{hashlib.sha256(_SCRIPT).hexdigest()[:32]}"'
#: The script may change after each upgrade, so pages revalidate it after an hour, usually with the response 304.
_OF_SCRIPT: Final = {
    "Cache-Control": "public, max-age=3600",
    "ETag": _ETAG,
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
}
#: A click id is a pseudonym by Pinterest: letters and digits in base64url.
_FORM: Final = re.compile(r"[\w.~=-]{8,512}", re.ASCII)
#: Pinterest ignores older clicks: 60 days.
_LASTS_S: Final = 60 * DAY_S
_MAX_BODY_BYTES: Final = 2_000
#: Limits of a report about the tag: its size, its calls, and the ids of the page.
_MAX_REPORT_BYTES: Final = 16_000
_MAX_CALLS: Final = 20
_MAX_BESIDE: Final = 10
_MAX_ID: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class TagReporting:
    """The reports of pages about calls of Pinterest's tag: who may send them, and their receiver."""

    write_keys: WriteKeys
    #: A page needs no key, because authentication is off.
    is_open: bool
    #: Advertiser-defined names, in addition to Pinterest's.
    event_names: Collection[str]
    take: Callable[[Sequence[TagCall]], None]


def browser_helper_router(
    limits: Limits, *, cookie_domain: str | None, reporting: TagReporting | None = None
) -> APIRouter:
    """Build the routes. Without a `cookie_domain` no cookie is ever set. `limits` has the time-out of requests.

    Without `reporting` the path for reports does not exist.
    """
    router = APIRouter()
    of_renewal = replace(limits, max_body_bytes=_MAX_BODY_BYTES)
    for method in ("GET", "HEAD"):
        router.add_api_route("/pinrelay.js", _script, methods=[method], include_in_schema=False)
    if cookie_domain is not None:
        domain = cookie_domain.lower().strip(".")

        async def renew(request: Request) -> Response:
            return await _renew(request, domain, of_renewal)

        router.add_api_route("/v1/epik", answering_refusals(renew), methods=["POST"], include_in_schema=False)
    if reporting is not None:
        of_report, names = replace(limits, max_body_bytes=_MAX_REPORT_BYTES), _tag_names(reporting.event_names)

        async def report(request: Request) -> Response:
            return await _take_report(request, reporting, names, of_report)

        router.add_api_route("/v1/tag", answering_refusals(report), methods=["POST"], include_in_schema=False)
    return router


async def _script(request: Request) -> Response:
    known = request.headers.get("if-none-match", "")
    if _ETAG in known or known.strip() == "*":
        return Response(status_code=304, headers=_OF_SCRIPT)
    return Response(_SCRIPT, media_type="text/javascript; charset=utf-8", headers=_OF_SCRIPT)


async def _renew(request: Request, domain: str, limits: Limits) -> Response:
    """Set the cookie if all conditions are met; the response is empty in any case. Raises RequestRefused."""
    raw = await receive(request, limits)
    headers = request.headers
    origin = urlsplit(headers.get("origin", "")).hostname or ""
    is_ours = _is_of(without_port(headers.get("host", "")), domain) and _is_of(origin, domain)
    answer = Response(status_code=204, headers={"Cache-Control": "no-store"})
    said = _said(raw)
    if is_ours and said.get("consent") is True and headers.get("sec-gpc", "0") == "0":
        click = said.get("click_id", request.cookies.get("_epik"))
        if isinstance(click, str) and _FORM.fullmatch(click):
            # Not HttpOnly, because Pinterest's tag reads the cookie.
            answer.set_cookie("_epik", click, max_age=_LASTS_S, domain=domain, secure=True, samesite="lax")
    return answer


async def _take_report(request: Request, reporting: TagReporting, names: Mapping[str, str], limits: Limits) -> Response:
    """Forward a page's report about its tag if the person consented. Raises RequestRefused."""
    said = _said(await receive(request, limits))
    key = said.get("writeKey")
    if not reporting.is_open and reporting.write_keys.source(key) is None:
        raise RequestRefused(UNAUTHENTICATED, UNKNOWN_KEY_CHECK if key else MISSING_KEY_CHECK)
    if said.get("consent") is True and request.headers.get("sec-gpc", "0") == "0":
        reporting.take(list(_tag_calls(said, names)))
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


def _tag_names(more: Collection[str]) -> Mapping[str, str]:
    return {name.replace("_", "").lower(): name for name in (*more, *EVENT_NAMES)} | {"page": "page_visit"}


def _tag_calls(said: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[TagCall]:
    """Yield the calls in a report; a name that Pinterest does not define belongs to a `custom` event."""
    calls, beside = said.get("calls"), said.get("beside")
    ids = [
        found for each in (beside if isinstance(beside, list) else [])[:_MAX_BESIDE] if (found := _reported_id(each))
    ]
    for call in calls[:_MAX_CALLS] if isinstance(calls, list) else ():
        if isinstance(call, dict) and isinstance(name := call.get("event"), str):
            yield TagCall(
                event=names.get(name[:_MAX_ID].lower().replace("_", ""), "custom"),
                event_id=_reported_id(call.get("event_id")),
                order_id=_reported_id(call.get("order_id")),
                beside=tuple(ids),
            )


def _reported_id(value: Any) -> str | None:
    """Return an id in the form that the outbox stores, without personal data; `None` if the value is not an id."""
    text = str(value).strip() if type(value) in (str, int) else ""
    return unpersonal_id(text) if 0 < len(text) <= _MAX_ID and not is_no_id(text) else None


def _said(raw: bytes) -> Mapping[str, Any]:
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _is_of(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


#: The Tracking API, also that of Jitsu, and the settings of SDKs. All other paths, including the rest of `/api` and the
#: console, are only for this host.
FOR_PAGES: Final = (
    *("/pinrelay.js", "/analytics.js/", "/analytics-next/"),
    *("/v1/", "/beacon/v1/", "/projects/", "/sourceConfig", "/api/s/"),
)


class OpenToPages:
    """Lets pages of `origins` (`*`: any site) call the Tracking API of `app`, and read its responses, even errors.

    Pages of any origin may call the paths of `is_for_any_page`: the origin of a sandboxed page is `null`.

    No cookie is used: the write key identifies the source. Hence all headers are allowed: each SDK has its own
    (`authorization`, `x-retry-count`, `anonymousid`), and new ones with each version.
    """

    def __init__(
        self,
        app: ASGIApp,
        origins: Sequence[str] = ("*",),
        *,
        is_for_any_page: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._app = app
        self._for_pages, self._for_any_page = _answering_pages(app, origins), _answering_pages(app, ("*",))
        self._is_for_any_page = is_for_any_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, through the middleware if pages may call the path."""
        app = self._app
        if scope["type"] == "http" and scope["path"].startswith(FOR_PAGES):
            app = self._for_pages
        elif scope["type"] == "http" and self._is_for_any_page(scope["path"]):
            app = self._for_any_page
        await app(scope, receive, send)


def _answering_pages(app: ASGIApp, origins: Sequence[str]) -> CORSMiddleware:
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST"],
        allow_headers=["*"],
        allow_private_network=True,
        expose_headers=["retry-after"],
        max_age=DAY_S,
    )


LIBRARY_FOLDER: Final = Path(__file__).parent / "analytics_js"
_LIBRARY: Final = "standalone.js"
#: As for `/pinrelay.js`: the file may change after an upgrade.
_FOR_AN_HOUR: Final = "public, max-age=3600"
#: Names of bundles contain a digest of their content.
_FOR_EVER: Final = "public, max-age=31536000, immutable"


#: Until the library is loaded, calls wait in an array, which the library replays.
_SNIPPET: Final = """\
<script>
  window.analytics = window.analytics || []
  window.analytics._writeKey = '{key}'
  window.analytics._cdn = '{host}'
  for (const method of ['identify', 'track', 'page', 'group', 'alias', 'ready', 'on', 'once', 'register', 'reset']) {{
    window.analytics[method] = (...values) => window.analytics.push([method, ...values])
  }}
  analytics.page()
</script>
<script async src="{host}/analytics.js/v1/{key}/analytics.min.js"></script>
"""


def page_snippet(host: str, key: str) -> str:
    """Return the snippet of a page that loads the library from `host` and sends the visit.

    `host` is an address such as `https://events.example.com`.
    """
    return _SNIPPET.format(host=host, key=key)


_PIXEL: Final = (Path(__file__).parent / "shopify_pixel.js").read_text(encoding="utf-8")
_PIXEL_ADDRESS: Final = "'https://events.example.com/webhook/shopify_pixel?key=KEY'"


def shopify_pixel(host: str, source: str, key: str) -> str:
    """Return the custom pixel of a Shopify shop, which sends to a source of a host with the key of the source.

    `host` is an address such as `https://events.example.com`.
    """
    address = f"{host}/webhook/{source}?key={quote(key, safe='')}"
    return _PIXEL.replace(_PIXEL_ADDRESS, orjson.dumps(address).decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A file of the library."""

    plain: bytes
    packed: bytes

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls(plain=path.read_bytes(), packed=path.with_name(f"{path.name}.gz").read_bytes())

    @property
    def etag(self) -> str:
        """Return a weak ETag, because the compressed file has the same."""
        return f'W/"{hashlib.sha256(self.plain).hexdigest()[:32]}"'


def read_library(folder: Path = LIBRARY_FOLDER) -> Mapping[str, Script]:
    """Return the files of the library by name; empty if the library is not installed."""
    return {path.name: Script.read(path) for path in sorted(folder.glob("*.js"))}


def analytics_js_router(write_keys: WriteKeys, *, is_open: bool, library: Mapping[str, Script]) -> APIRouter:
    """Build the routes of Segment's browser library; with `is_open` any key is accepted.

        GET /analytics.js/v1/{write key}/analytics.min.js   the library
        GET /analytics-next/bundles/{name}                  a part that the library loads on demand

    `make browser-library` puts the files beside this module, of a single version with a single checksum; a release's
    wheel and image include them. Source: src/browser/standalone.ts in packages/browser of segmentio/analytics-next
    """
    answers = {name: _answering(script, for_ever=name != _LIBRARY) for name, script in library.items()}

    async def show_library(request: Request) -> Response:
        if not is_open and write_keys.source(request.path_params["key"]) is None:
            raise RequestRefused(UNKNOWN_KEY)
        if _LIBRARY not in answers:
            raise RequestRefused(NO_LIBRARY)
        return await answers[_LIBRARY](request)

    async def show_bundle(request: Request) -> Response:
        found = answers.get(request.path_params["name"])
        if found is None:
            raise RequestRefused(UNKNOWN_BUNDLE if answers else NO_LIBRARY)
        return await found(request)

    router = APIRouter()
    for path, show in (
        ("/analytics.js/v1/{key}/analytics.min.js", show_library),
        ("/analytics-next/bundles/{name}", show_bundle),
    ):
        router.add_api_route(path, answering_refusals(show), methods=["GET", "HEAD"], include_in_schema=False)
    return router


def _answering(script: Script, *, for_ever: bool) -> Handler:
    headers = {
        "Cache-Control": _FOR_EVER if for_ever else _FOR_AN_HOUR,
        "ETag": script.etag,
        "Vary": "Accept-Encoding",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    known_by = script.etag.removeprefix("W/")

    async def show(request: Request) -> Response:
        known = request.headers.get("if-none-match", "")
        if known_by in known or known.strip() == "*":
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(script.plain, media_type="text/javascript; charset=utf-8", headers=headers)
        packed = headers | {"Content-Encoding": "gzip"}
        return Response(script.packed, media_type="text/javascript; charset=utf-8", headers=packed)

    return show
