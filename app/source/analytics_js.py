"""Segment's browser library, served from here: a shop needs no CDN and no bundler.

GET /analytics.js/v1/{write key}/analytics.min.js    the library
GET /analytics-next/bundles/{name}                   a part of it, which it loads when it needs it

`make browser-library` puts the files beside this module, of one version with one checksum; a release's wheel and
image bring them.
Source: src/browser/standalone.ts in packages/browser of segmentio/analytics-next
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from fastapi import APIRouter, Request, Response

from app.source.auth import WriteKeys
from app.source.responses import (
    NO_LIBRARY,
    UNKNOWN_BUNDLE,
    UNKNOWN_KEY,
    Handler,
    RequestRefused,
    answering_refusals,
)

LIBRARY_FOLDER: Final = Path(__file__).parent / "analytics_js"
_LIBRARY: Final = "standalone.js"
#: As `/pinrelay.js`: it may be another version after an upgrade.
_FOR_AN_HOUR: Final = "public, max-age=3600"
#: Names of bundles hold a digest of what is in them.
_FOR_EVER: Final = "public, max-age=31536000, immutable"


#: Until the library is there, calls wait in an array, which it plays.
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
    """Return what a page needs to load the library from a host (`https://events.example.com`) and send its visit."""
    return _SNIPPET.format(host=host, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One file of the library."""

    plain: bytes
    packed: bytes

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls(plain=path.read_bytes(), packed=path.with_name(f"{path.name}.gz").read_bytes())

    @property
    def etag(self) -> str:
        """Weak, since the packed bytes have it too."""
        return f'W/"{hashlib.sha256(self.plain).hexdigest()[:32]}"'


def read_library(folder: Path = LIBRARY_FOLDER) -> Mapping[str, Script]:
    """Return the files of the library by name; none where it is not installed."""
    return {path.name: Script.read(path) for path in sorted(folder.glob("*.js"))}


def analytics_js_router(write_keys: WriteKeys, *, is_open: bool, library: Mapping[str, Script]) -> APIRouter:
    """Build the routes; where nothing has to be proven any key is known."""
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
