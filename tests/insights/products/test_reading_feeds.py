"""Feeds are read in each format, and a broken or hostile one is refused with a reason, in bounded memory."""

import gzip
import io
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import FeedUnusable
from app.insights import product_feed
from app.insights.product_feed import FeedIds, FeedReader, addresses_of, fetch_feed, read_addresses
from tests.insights.products.feeds import FORMATS, feed_of
from tests.rows import every_row

TEXTS = st.text(st.characters(categories=["L", "N", "Pd", "Pc", "Sc"]), min_size=1, max_size=9)


def read(data: bytes) -> FeedIds:
    reader = FeedReader()
    reader.read(io.BytesIO(data))
    return reader.ids()


@every_row("packed", [False, True])
@every_row("form", FORMATS)
def test_each_format_gives_the_same_ids(form: str, packed: bool) -> None:  # noqa: FBT001 - a parameter
    items = [("7", "G1"), ("8-ü", "G1"), ("9_S", None), ("x" * 128, None), ("", None), ("7", "G1")]
    ids = read(feed_of(items, form, packed=packed))
    assert [ids.known_as(text) for text in ("7", "8-ü", "9_S")] == ["item"] * 3
    assert [ids.known_as(text) for text in ("G1", "nothing", "of the shop", "no id of the item")] == [
        "group",
        "unknown",
        "unknown",
        "unknown",
    ]
    assert (len(ids.items), len(ids.groups), ids.skipped) == (3, 1, 2)


@given(items=st.lists(st.tuples(TEXTS, st.none() | TEXTS), min_size=1, max_size=9), form=st.sampled_from(FORMATS))
def test_what_stands_in_a_feed_is_known(items: list[tuple[str, str | None]], form: str) -> None:
    ids = read(feed_of(items, form))
    assert {ids.known_as(item) for item, _ in items} == {"item"}
    assert {ids.known_as(group) for _, group in items if group} <= {"item", "group"}


ENTITY = '<!DOCTYPE rss [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
RSS = "<rss><channel><item><id>{}</id></item></channel></rss>"
BROKEN: list[tuple[str, bytes | Callable[[], bytes], str]] = [
    ("nothing", b"", "no heading `id`"),
    ("a page", b"<html><body>Not found</body></html>", "no item of it has an `id`"),
    ("a page that is no XML", b"<html><br></html>", "XML is broken"),
    ("no heading", b"sku,title\n1,a\n", "no heading `id` in its first line, which begins 'sku,title"),
    ("a heading alone", b"id,title\n", "no item of it has an `id`"),
    ("rows without their columns", b"title\tid\nx\n\n", "no item of it has an `id`"),
    ("cut off", RSS.format("7").encode()[:-9], "XML is broken"),
    ("laughs", f'<?xml version="1.0"?>{ENTITY}{RSS.format("&b;")}'.encode(), "declares XML entities"),
    ("a file of the machine", f'<!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/passwd">]>{RSS}'.encode(), "entities"),
    ("gzip cut off", gzip.compress(b"id\n" + b"7\n" * 99)[:-9], "gzip is broken"),
    ("gzip of nonsense", b"\x1f\x8b" + b"nonsense", "gzip is broken"),
    ("a bomb", lambda: gzip.compress(b"title,id\n" + (b"x" * 999 + b"\n") * 20_000), "decompresses to more than"),
    ("a bomb of XML", lambda: gzip.compress(b"<rss>" + b" " * 40_000_000, 1), "decompresses to more than"),
    ("a long line", b"id\n" + b"7" * 2_000_000, "a line of it is longer"),
    ("a long field", b'id\n"' + b"7\n" * 200_000, "line .* cannot be read: field larger"),
    ("a long tag", b"<rss a='" + b"7" * 3_000_000, "a tag of it is longer"),
    ("Latin 1", "id\nStühle\n".encode("latin-1") * 2, "not UTF-8"),
]


@every_row(("data", "why"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_or_hostile_feed_is_refused_in_little_memory(data: bytes | Callable[[], bytes], why: str) -> None:
    data = data() if callable(data) else data
    tracemalloc.start()
    try:
        with pytest.raises(FeedUnusable, match=why):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 25_000_000
    finally:
        tracemalloc.stop()


def test_other_encodings_of_xml_are_read() -> None:
    text = f'<?xml version="1.0" encoding="UTF-16"?>{RSS.format("ü7")}'
    assert read(text.encode("utf-16")).known_as("ü7") == "item"
    assert read(b"\xef\xbb\xbf \n" + RSS.format("7").encode()).known_as("7") == "item"
    assert read(b"\xef\xbb\xbfid\n7\n").known_as("7") == "item"


def test_more_items_than_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_feed, "MAX_ITEMS", 9)
    assert len(read(feed_of([(f"{n}", None) for n in range(9)], "csv")).items) == 9
    with pytest.raises(FeedUnusable, match="more than 9 items"):
        read(feed_of([(f"{n}", None) for n in range(10)], "csv"))


# Where they come from


def resolved(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


def answering(asked: list[httpx.Request], status: int = 200, **answer: Any) -> httpx.MockTransport:
    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, **answer)

    return httpx.MockTransport(handle)


async def test_a_feed_is_asked_for_at_the_address_that_was_looked_up() -> None:
    asked: list[httpx.Request] = []
    transport = answering(asked, stream=httpx.ByteStream(feed_of([("7", None)], "rss")))
    into = io.BytesIO()
    await fetch_feed("https://shop.example/f.xml?k=1", into, resolve=resolved("93.184.216.34"), transport=transport)
    assert read(into.read()).known_as("7") == "item"
    (request,) = asked
    assert str(request.url) == "https://93.184.216.34/f.xml?k=1"
    assert request.headers["host"] == "shop.example"
    assert request.extensions["sni_hostname"] == "shop.example"


@every_row(
    ("found", "why"),
    [
        (["127.0.0.1"], "private network"),
        (["10.0.0.8"], "private network"),
        (["93.184.216.34", "192.168.0.1"], "private network"),
        (["169.254.169.254"], "private network"),
        (["::1"], "private network"),
        (["fe80::1%eth0"], "private network"),
        (["::ffff:127.0.0.1"], "private network"),
        (["224.0.0.251"], "private network"),
        ([], "private network"),
    ],
)
async def test_a_private_address_is_never_asked(found: list[str], why: str) -> None:
    asked: list[httpx.Request] = []
    with pytest.raises(FeedUnusable, match=why):
        await fetch_feed("https://shop.example/f", io.BytesIO(), resolve=resolved(*found), transport=answering(asked))
    assert asked == []


async def test_this_machine_is_no_place_of_a_feed() -> None:
    assert await addresses_of("127.0.0.1", 443) == ["127.0.0.1"]
    with pytest.raises(FeedUnusable, match="private network"):
        await fetch_feed("https://localhost:8443/feed.xml", io.BytesIO())


@pytest.mark.parametrize("address", ["http://shop.example/f.xml", "ftp://shop.example/f", "https://", "feed.xml"])
async def test_only_https_is_asked(address: str) -> None:
    with pytest.raises(FeedUnusable, match="must begin with https://"):
        await fetch_feed(address, io.BytesIO())


async def test_what_is_no_feed_is_refused_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    public = resolved("93.184.216.34")
    moved = answering([], 302, headers={"Location": "http://127.0.0.1/"})
    with pytest.raises(FeedUnusable, match="answers 302: name the address of the feed itself"):
        await fetch_feed("https://shop.example/f", io.BytesIO(), resolve=public, transport=moved)

    def fails(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    with pytest.raises(FeedUnusable, match=r"cannot be fetched from shop.example \(ConnectError\)"):
        await fetch_feed("https://shop.example/f", io.BytesIO(), resolve=public, transport=httpx.MockTransport(fails))
    monkeypatch.setattr(product_feed, "MAX_BYTES", 9)
    with pytest.raises(FeedUnusable, match="larger than 9 bytes"):
        await fetch_feed(
            "https://shop.example/f",
            io.BytesIO(),
            resolve=public,
            transport=answering([], stream=httpx.ByteStream(b"x" * 10)),
        )


async def test_several_feeds_are_one() -> None:
    async def fetch(place: str, into: Any) -> None:
        into.write(feed_of([(place, f"{place}-group")], "csv"))
        into.seek(0)

    ids = await read_addresses(["a", "b"], fetch)
    assert [ids.known_as(text) for text in ("a", "b", "b-group", "c")] == ["item", "item", "group", "unknown"]
