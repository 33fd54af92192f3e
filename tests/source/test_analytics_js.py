"""Segment's browser library, as a page asks for it."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app.source.auth import WriteKeys
from app.source.browser import OpenToPages, Script, analytics_js_router, page_snippet, read_library
from tests.examples.blocks import BLOCKS

LIBRARY, BUNDLE = "/analytics.js/v1/k1/analytics.min.js", "/analytics-next/bundles/queryString.bundle.1f.js"
SCRIPTS = {"standalone.js": b"library()", "queryString.bundle.1f.js": b"part()"}
PACKED = {"accept-encoding": "br, gzip"}


@pytest.fixture
def library(tmp_path: Path) -> Mapping[str, Script]:
    for name, text in SCRIPTS.items():
        (tmp_path / name).write_bytes(text)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text))
    (tmp_path / "LICENSE.MD").write_text("MIT", encoding="utf-8")
    return read_library(tmp_path)


async def got(
    path: str, library: Mapping[str, Script], headers: dict[str, str] | None = None, *, is_open: bool = False
) -> httpx.Response:
    app = FastAPI()
    app.include_router(analytics_js_router(WriteKeys.read(["shop:k1"]), is_open=is_open, library=library))
    transport = httpx.ASGITransport(OpenToPages(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://pinrelay.example") as http:
        return await http.get(path, headers={"accept-encoding": "identity", **(headers or {})})


@pytest.mark.parametrize(("path", "name"), [(LIBRARY, "standalone.js"), (BUNDLE, "queryString.bundle.1f.js")])
async def test_the_library_and_its_parts_are_served_plain_and_packed(
    path: str, name: str, library: Mapping[str, Script]
) -> None:
    plain, packed = await got(path, library), await got(path, library, PACKED)
    assert plain.content == packed.content == SCRIPTS[name]
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    for answer in (plain, packed):
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert "Accept-Encoding" in answer.headers["vary"]
        assert answer.headers["etag"] == plain.headers["etag"]
    kept = "max-age=3600" if path == LIBRARY else "max-age=31536000, immutable"
    assert plain.headers["cache-control"] == f"public, {kept}"


async def test_what_a_page_has_already_is_not_sent_again(library: Mapping[str, Script]) -> None:
    etag = (await got(LIBRARY, library)).headers["etag"]
    for known in (etag, f'"other", {etag}', "*"):
        again = await got(LIBRARY, library, {"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await got(LIBRARY, library, {"if-none-match": '"other"'})).status_code == 200


async def test_a_page_that_asks_for_integrity_may_read_the_library(library: Mapping[str, Script]) -> None:
    answer = await got(LIBRARY, library, {"origin": "https://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "is_installed", "is_open", "code"),
    [
        (LIBRARY.replace("k1", "k2"), True, False, "unknown_write_key"),
        (LIBRARY.replace("k1", "k2"), True, True, None),
        (LIBRARY, False, False, "no_library"),
        (BUNDLE, False, False, "no_library"),
        ("/analytics-next/bundles/other.js", True, False, "unknown_bundle"),
        ("/analytics-next/bundles/LICENSE.MD", True, False, "unknown_bundle"),
    ],
)
async def test_a_404_says_what_to_do(
    path: str,
    is_installed: bool,  # noqa: FBT001 - columns
    is_open: bool,  # noqa: FBT001
    code: str | None,
    library: Mapping[str, Script],
) -> None:
    answer = await got(path, library if is_installed else {}, is_open=is_open)
    assert answer.status_code == (404 if code else 200)
    if code:
        assert answer.json()["code"] == code
    if code == "no_library":
        assert "make browser-library" in answer.json()["message"]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert read_library(tmp_path / "none") == {}


def test_the_snippet_of_the_page_is_that_of_the_console() -> None:
    (shown,) = (block.text for block in BLOCKS if (block.page, block.title) == ("browser-helper", "snippet"))
    assert page_snippet("https://events.example.com", "4f1c...") == shown
