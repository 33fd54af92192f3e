"""A product feed in Pinterest's format, and the products of events in it: by which id, as an item or a group.

The result recommends a value of CONTENT_ID.

A process reads the feed once a day and stores digests of its ids, which all processes load from the store.
"""

import asyncio
import base64
import csv
import gzip
import heapq
import io
import ipaddress
import socket
import sys
import tempfile
import zlib
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, groupby
from typing import IO, Any, Final, TypeAlias
from urllib.parse import urlsplit
from xml.parsers import expat

import httpx

from app.catalog import Catalog, Preset
from app.catalog.mappings import compile_mapping
from app.core.events import Event, EventKey, Measure
from app.core.shared_values import FEED, FEED_PIECES, FEED_TURN, FEED_UNKNOWN, FeedState, SharedValues
from app.core.values.times import DAY_S, HOUR_S
from app.destination.client import http_client
from app.destination.redaction import product_id
from app.errors import FeedUnusable, MappingError
from app.mapping import PRODUCT_ID
from app.mapping import Mapping as CompiledMapping
from app.outbox.inventory import Inventory
from app.pipeline.received_names import title_of
from app.sender.shutdown import MinuteTask

#: The kinds of ids in the feed.
ITEM: Final = "item"
GROUP: Final = "group"
UNKNOWN: Final = "unknown"
#: Label of the id that CONTENT_ID selects.
SENT: Final = "sent"
UNKNOWN_SENT: Final = f"{SENT} {UNKNOWN}"
#: Each sent product has a label of these.
SENT_LABELS: Final = (f"{SENT} {ITEM}", f"{SENT} {GROUP}", UNKNOWN_SENT)
#: The compared ids, in addition to the configured one.
CANDIDATES: Final = (PRODUCT_ID, "variant_id", "sku", "{{ product_id }}_{{ sku }}")
#: Maximum number of products of an event that are looked up.
_MAX_PRODUCTS: Final = 50
#: Maximum numbers of stored unknown ids for a kind of event, of kinds, and of displayed ids.
_UNKNOWN_KEPT: Final = 100
_KINDS_KEPT: Final = 50
UNKNOWN_SHOWN: Final = 10
#: Minimum number of looked up products for advice, and the minimum advantage of another id.
LEAST: Final = 20
BETTER: Final = 0.05
#: The value of an id that only matches a group, relative to an item.
_OF_GROUP: Final = 0.5

_read_id = product_id(128)


class ProductCheck:
    """Looks up the products of events; inactive without a feed."""

    def __init__(self, catalog: Callable[[], Catalog], content_id_of: Callable[[str], str]) -> None:
        """Use functions that return the running catalog, and the configured product id of a source."""
        self._catalog = catalog
        self._content_id_of = content_id_of
        #: Returns the kind of an id in the feed; `None`: there is no feed.
        self.known_as: Callable[[str], str] | None = None
        self._of: Catalog | None = None
        self._mappings: dict[tuple[str, str], CompiledMapping | None] = {}
        self._unknown: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def labels(self, event: Event, key: EventKey) -> list[str]:
        """Return a label for each product of an event and each id, with its kind in the feed: `sku item`."""
        known_as, catalog = self.known_as, self._catalog()
        if known_as is None or not (presets := catalog.matching(event)):
            return []
        if catalog is not self._of:
            self._of, self._mappings = catalog, {}
        sent_under = self._content_id_of(key.source)
        labels = []
        for content_id in dict.fromkeys((sent_under, *CANDIDATES)):
            for text in self._ids(presets[0], event, content_id):
                known = known_as(text)
                labels.append(f"{content_id} {known}")
                if content_id == sent_under:
                    labels.append(f"{SENT} {known}")
                    if known == UNKNOWN:
                        self._note(key, text)
        return labels

    def _ids(self, preset: Preset, event: Event, content_id: str) -> list[str]:
        mapping = self._mapping(preset, content_id)
        try:
            found = (mapping.resolve(event) or {}).get("content_ids") if mapping else None
        except MappingError:
            return []
        ids = found if isinstance(found, list) else [found]
        return [str(each) for each in ids[:_MAX_PRODUCTS] if type(each) in (str, int) and each != ""]

    def _mapping(self, preset: Preset, content_id: str) -> CompiledMapping | None:
        at = preset.name, content_id
        if at not in self._mappings:
            custom_data = preset.fields.get("custom_data")
            ids = custom_data.get("content_ids") if isinstance(custom_data, dict) else None
            self._mappings[at] = compile_mapping({"content_ids": ids}, content_id=content_id) if ids else None
        return self._mappings[at]

    def _note(self, key: EventKey, text: str) -> None:
        """Count an unknown id, in bounded memory: rare ids are dropped."""
        kind = f"{title_of(key)} from {key.source}"
        if kind in self._unknown or len(self._unknown) < _KINDS_KEPT:
            counts = self._unknown[kind]
            counts[text] += 1
            if len(counts) > 2 * _UNKNOWN_KEPT:
                self._unknown[kind] = Counter(dict(counts.most_common(_UNKNOWN_KEPT)))

    async def keep_unknown(self, shared: SharedValues) -> None:
        """Add the unknown ids to the stored ones, without personal data, and remove ids that are known by now."""
        new, self._unknown = self._unknown, defaultdict(Counter)
        if not new or self.known_as is None:
            return
        stored = await FEED_UNKNOWN.read_revised(shared)
        kept = dict(stored.value or {})
        for kind, counts in new.items():
            if kind not in kept and len(kept) >= _KINDS_KEPT:
                continue
            sums = Counter(kept.get(kind, {}))
            for text, count in counts.items():
                clean, _ = _read_id(text)
                if clean is not None:
                    sums[str(clean)] += count
            still = Counter({text: count for text, count in sums.items() if self.known_as(text) == UNKNOWN})
            kept[kind] = dict(still.most_common(_UNKNOWN_KEPT))
        await FEED_UNKNOWN.write(shared, kept, revision=stored.revision)


class FeedMatches(Counter[str]):
    """The number of products under an id, by kind in the feed."""

    @property
    def counts(self) -> dict[str, int]:
        return {word: self[word] for word in (ITEM, GROUP, UNKNOWN)}

    @property
    def worth(self) -> float:
        """Return the found share; products that only match a group count half."""
        return (self[ITEM] + _OF_GROUP * self[GROUP]) / self.total() if self.total() else 0.0

    def __str__(self) -> str:
        """Return a text such as `97% item, 2% group`."""
        return ", ".join(f"{count / self.total():.0%} {word}" for word, count in self.counts.items() if count)


async def read_known(inventory: Inventory, *, now: float, days: int) -> dict[EventKey, dict[str, FeedMatches]]:
    """Return the matches in the feed for the last days, by kind of event and by id."""
    since = (now // DAY_S - days + 1) * DAY_S
    found: dict[EventKey, dict[str, FeedMatches]] = {}
    for _, (key, _, label, number) in await inventory.read(since=since, by_hour=False, counted=[Measure.CATALOGUE]):
        content_id, _, known = label.rpartition(" ")
        found.setdefault(key, {}).setdefault(content_id, FeedMatches())[known] += number
    return found


def advice(found: Mapping[EventKey, Mapping[str, FeedMatches]], content_id_of: Callable[[str], str]) -> str:
    """Return the setting to change; "" if no change would match more products.

    `content_id_of` returns the configured product id of a source.
    """
    by_source: defaultdict[str, defaultdict[str, FeedMatches]] = defaultdict(lambda: defaultdict(FeedMatches))
    for key, counts in found.items():
        for content_id, known in counts.items():
            by_source[key.source][content_id].update(known)
    better = list(_better(by_source, content_id_of))
    if not better:
        return ""
    _, source, best, was, will = max(better)
    judged = [name for name in by_source if any(each.total() >= LEAST for each in by_source[name].values())]
    place = "CONTENT_ID" if {each[2] for each in better} == {best} and len(better) == len(judged) else ""
    change = f"set CONTENT_ID={best}" if place else f"set `content_id: {best!r}` in the file of the source {source}"
    return f"The feed would know {will:.0%} of the products instead of {was:.0%}: {change}."


def _better(
    by_source: Mapping[str, Mapping[str, FeedMatches]], content_id_of: Callable[[str], str]
) -> Iterator[tuple[float, str, str, float, float]]:
    """Yield for each source with a better id: additional products, source, id, and both shares."""
    for source, counts in by_source.items():
        now = counts.get(content_id_of(source), FeedMatches())
        best = max((name for name in counts if name != SENT), key=lambda name: counts[name].worth, default="")
        if best and counts[best].total() >= LEAST and counts[best].worth >= now.worth + BETTER:
            shares = [1 - each[UNKNOWN] / each.total() if each.total() else 0.0 for each in (now, counts[best])]
            yield (counts[best].worth - now.worth) * counts[best].total(), source, best, shares[0], shares[1]


#: The items of all feeds together. Pinterest's own limit is higher; digests of these need 16 MB.
MAX_ITEMS: Final = 2_000_000
#: Maximum size of a feed, compressed and decompressed.
MAX_BYTES: Final = 1_000_000_000
MAX_DECOMPRESSED_BYTES: Final = 4_000_000_000
#: Feeds compress to a tenth or twentieth by gzip; a higher ratio than this is a decompression bomb.
MAX_RATIO: Final = 200
#: Up to this size the ratio is not checked.
_SMALL: Final = 10_000_000
#: Maximum length of an id: https://developers.pinterest.com/docs/api/v5/catalogs
MAX_ID: Final = 127
#: Maximum length of a line, and of a tag with its attributes.
_MAX_LINE: Final = 1_000_000
#: Maximum length of an id with surrounding blanks.
_MAX_TEXT: Final = 1_000
_CHUNK: Final = 1 << 16
#: A feed with less than this share of its previous items is rejected.
SHRUNK: Final = 0.5
#: The number of digests in a shared value.
_PIECE: Final = 65_536
_FETCH_S: Final = 600.0
_OK: Final = 200
_LOCAL: Final = {"id": "id", "item_group_id": "group"}


_Stream: TypeAlias = "io.BufferedReader[_Bounded]"


@dataclass(frozen=True, slots=True)
class FeedIds:
    """The ids of feeds, as sorted digests of 64 bits."""

    items: "array[int]"
    groups: "array[int]"
    #: Items without a usable id.
    skipped: int = 0

    def known_as(self, text: str) -> str:
        """Return whether an id belongs to an item, only to a group, or is unknown."""
        digest = _digest(text)
        return ITEM if _holds(self.items, digest) else GROUP if _holds(self.groups, digest) else UNKNOWN


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), sys.byteorder)


def _holds(digests: "array[int]", digest: int) -> bool:
    place = bisect_left(digests, digest)
    return place < len(digests) and digests[place] == digest


class FeedReader:
    """Collects the ids of several feeds; `ids` returns all of them."""

    def __init__(self) -> None:
        self._items, self._groups, self._skipped = array("Q"), array("Q"), 0

    def ids(self) -> FeedIds:
        """Return the collected ids. Raises FeedUnusable without any item."""
        if not self._items:
            raise FeedUnusable(
                "no item of it has an `id`: give RSS with `item`s, or TSV or CSV with the headings of Pinterest's feeds"
            )
        return FeedIds(_sorted(self._items), _sorted(self._groups), self._skipped)

    def read(self, file: IO[bytes]) -> None:
        """Read a feed: RSS, TSV or CSV, optionally compressed with gzip. Raises FeedUnusable."""
        magic = file.read(2)
        file.seek(0)
        packed = magic == b"\x1f\x8b"
        inner: Any = gzip.GzipFile(fileobj=file) if packed else file
        stream: _Stream = io.BufferedReader(_Bounded(inner, file if packed else None), _CHUNK)
        try:
            is_xml = stream.peek(100).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"
            (self._read_xml if is_xml or stream.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff") else self._read_rows)(stream)
        except (gzip.BadGzipFile, zlib.error, EOFError) as exc:
            raise FeedUnusable(f"its gzip is broken: {exc}") from exc
        except UnicodeDecodeError as exc:
            raise FeedUnusable("it is not UTF-8: write it as UTF-8") from exc

    def _add(self, item: str, group: str | None) -> None:
        item = item.strip()
        if not item or len(item) > MAX_ID:
            self._skipped += 1
            return
        self._items.append(_digest(item))
        if group and (group := group.strip()):
            self._groups.append(_digest(group))
        if len(self._items) > MAX_ITEMS:
            raise FeedUnusable(f"it has more than {MAX_ITEMS:,} items: name feeds with fewer")

    def _read_rows(self, stream: _Stream) -> None:
        lines = _lines(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""))
        head = next(lines, "")
        rows = csv.reader(chain([head], lines), delimiter="\t" if "\t" in head else ",")
        try:
            names = [name.strip().removeprefix("g:") for name in next(rows, [])]
            if "id" not in names:
                raise FeedUnusable(f"it has no heading `id` in its first line, which begins {head[:60]!r}")
            at = names.index("id")
            group_at = names.index("item_group_id") if "item_group_id" in names else None
            for row in rows:
                width = len(row)
                if width > at:
                    self._add(row[at], row[group_at] if group_at is not None and width > group_at else None)
                elif row:
                    self._skipped += 1
        except csv.Error as exc:
            raise FeedUnusable(f"line {rows.line_num} cannot be read: {exc}") from exc

    def _read_xml(self, stream: _Stream) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        _Items(parser, self._add)
        fed = 0
        try:
            while chunk := stream.read(_CHUNK):
                parser.Parse(chunk)
                fed += len(chunk)
                if fed - max(parser.CurrentByteIndex, 0) > _MAX_LINE:
                    raise FeedUnusable(f"a tag of it is longer than {_MAX_LINE:,} bytes")
            parser.Parse(b"", True)  # noqa: FBT003 - expat takes no keyword
        except expat.ExpatError as exc:
            raise FeedUnusable(f"its XML is broken: {exc}") from exc


def _sorted(digests: "array[int]") -> "array[int]":
    """Return the sorted digests without duplicates, in little memory.

    Sorting all at once would create Python numbers for all.
    """
    runs = [array("Q", sorted(digests[start : start + _PIECE])) for start in range(0, len(digests), _PIECE)]
    return array("Q", (digest for digest, _ in groupby(heapq.merge(*runs))))


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise FeedUnusable(f"a line of it is longer than {_MAX_LINE:,} characters")
        yield line


class _Bounded(io.RawIOBase):
    """A stream that raises FeedUnusable if it decompresses to too many bytes."""

    def __init__(self, inner: Any, packed: IO[bytes] | None) -> None:
        self._inner = inner
        self._packed = packed
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read(len(buffer))
        self._size += len(data)
        ratio = self._size / max(1, self._packed.tell()) if self._packed and self._size > _SMALL else 0
        if ratio > MAX_RATIO or self._size > MAX_DECOMPRESSED_BYTES:
            bounds = f"{MAX_RATIO} times its size, or {MAX_DECOMPRESSED_BYTES:,} bytes"
            raise FeedUnusable(f"it decompresses to more than {bounds}")
        buffer[: len(data)] = data
        return len(data)


class _Items:
    """Finds the ids of RSS items (or Atom entries), in any namespace."""

    def __init__(self, parser: Any, add: Callable[[str, str | None], None]) -> None:
        self._parser = parser
        self._add = add
        self._depth = 0
        #: The depth of the current item; 0: none.
        self._item_at = 0
        self._found: dict[str, str] = {}
        self._text = ""
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.EntityDeclHandler = self._refuse

    def _refuse(self, *_: Any) -> None:
        raise FeedUnusable("it declares XML entities, which feeds do not need: write the characters themselves")

    def _start(self, name: str, _: Any) -> None:
        self._depth += 1
        if not self._item_at:
            if name.rpartition(":")[2] in {"item", "entry"}:
                self._item_at, self._found = self._depth, {}
        elif self._depth == self._item_at + 1 and name.rpartition(":")[2] in _LOCAL:
            self._text = ""
            self._parser.CharacterDataHandler = self._characters

    def _characters(self, text: str) -> None:
        if len(self._text) < _MAX_TEXT:
            self._text += text[:_MAX_TEXT]

    def _end(self, name: str) -> None:
        if self._depth == self._item_at + 1 and self._parser.CharacterDataHandler is not None:
            self._parser.CharacterDataHandler = None
            prefix, _, local = name.rpartition(":")
            if prefix or _LOCAL[local] not in self._found:  # the id of Atom itself is an address
                self._found[_LOCAL[local]] = self._text
        elif self._item_at and self._depth == self._item_at:
            self._add(self._found.get("id", ""), self._found.get("group"))
            self._item_at = 0
        self._depth -= 1


# ---------------------------------------------------------------------------------------------------------------------
# Fetching feeds.

#: Returns the IP addresses of a host.
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]


async def addresses_of(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses of a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


async def fetch_feed(
    address: str, into: IO[bytes], *, resolve: Resolve = addresses_of, transport: httpx.AsyncBaseTransport | None = None
) -> None:
    """Fetch a feed by HTTPS, without redirects and not from private networks. Raises FeedUnusable.

    The request goes to the resolved IP address, so that the name cannot change its target in between.
    """
    url = httpx.URL(checked_address(address))
    port = url.port or 443
    try:
        async with asyncio.timeout(_FETCH_S), http_client(30, transport) as client:
            found = await resolve(url.host, port)
            if not found or not all(_is_public(each) for each in found):
                raise FeedUnusable(
                    f"{url.host} is an address of a private network: put the feed where Pinterest reads it"
                )
            headers = {"Host": url.netloc.decode(), "Accept-Encoding": "identity"}
            request = client.build_request(
                "GET", url.copy_with(host=found[0]), headers=headers, extensions={"sni_hostname": url.host}
            )
            answer = await client.send(request, stream=True, follow_redirects=False)
            try:
                await _take(answer, into)
            finally:
                await answer.aclose()
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:  # also for addresses, and TimeoutError
        raise FeedUnusable(f"it cannot be fetched from {url.host} ({type(exc).__name__})") from exc
    into.seek(0)


async def _take(answer: httpx.Response, into: IO[bytes]) -> None:
    if answer.status_code != _OK:
        raise FeedUnusable(f"{answer.url.host} answers {answer.status_code}: name the address of the feed itself")
    size = 0
    async for data in answer.aiter_raw():
        size += len(data)
        if size > MAX_BYTES:
            raise FeedUnusable(f"it is larger than {MAX_BYTES:,} bytes")
        into.write(data)


def checked_address(address: str) -> str:
    """Return the address of a feed. Raises FeedUnusable unless it uses HTTPS."""
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname:
        raise FeedUnusable("its address must begin with https://, such as https://shop.example/feed.xml")
    return address


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_global and not found.is_multicast


async def read_addresses(addresses: Iterable[str], fetch: Callable[[str, IO[bytes]], Awaitable[None]]) -> FeedIds:
    """Return the ids of the feeds at these addresses. Raises FeedUnusable."""
    reader = FeedReader()
    for address in addresses:
        with tempfile.TemporaryFile() as file:
            await fetch(address, file)
            await asyncio.to_thread(reader.read, file)
    return await asyncio.to_thread(reader.ids)


# ---------------------------------------------------------------------------------------------------------------------
# In the store


async def keep_ids(shared: SharedValues, ids: FeedIds, now: float) -> FeedState:
    """Store the ids of a feed for all processes."""
    before = await FEED.read(shared)
    half = 1 - before.half if before else 0
    pieces = [
        base64.b64encode(digests[start : start + _PIECE].tobytes()).decode()
        for digests in (ids.items, ids.groups)
        for start in range(0, len(digests), _PIECE)
    ]
    for number, piece in enumerate(pieces):
        await FEED_PIECES.of(f"{half}/{number}").write(shared, piece)
    state = FeedState(
        read_at=now, tried_at=now, half=half, items=len(ids.items), groups=len(ids.groups), skipped=ids.skipped
    )
    await FEED.write(shared, state)
    for number in range(_pieces(before.items) + _pieces(before.groups) if before else 0):
        await FEED_PIECES.of(f"{1 - half}/{number}").write(shared, None)
    return state


def _pieces(count: int) -> int:
    return -(-count // _PIECE)


async def kept_ids(shared: SharedValues, state: FeedState) -> FeedIds | None:
    """Return the ids of a state; `None` if another process is changing them."""
    digests: list[array[int]] = []
    number = 0
    for count in (state.items, state.groups):
        found = array("Q")
        while len(found) < count:
            piece = await FEED_PIECES.read(shared, f"{state.half}/{number}")
            number += 1
            if not piece:
                return None
            found.frombytes(base64.b64decode(piece))
        digests.append(_sorted(found))
    return FeedIds(digests[0], digests[1], state.skipped)


#: The size of the cache of looked up products.
_REMEMBERED: Final = 16_384


class FeedKeeper(MinuteTask):
    """Stores the ids of the product feeds, and looks up products of events."""

    def __init__(
        self,
        shared: SharedValues,
        check: ProductCheck,
        addresses: Sequence[str],
        *,
        clock: Callable[[], float],
        on_error: Callable[[Exception], None],
        fetch: Callable[[str, IO[bytes]], Awaitable[None]] = fetch_feed,
    ) -> None:
        """Use the addresses of feeds; without addresses only the ids from `pinrelay feed` are used."""
        super().__init__(on_error)
        self._shared = shared
        self._check = check
        self._addresses = addresses
        self._clock = clock
        self._fetch = fetch
        self._followed = (0.0, 0)

    async def look(self) -> None:
        """Read the feeds if a day is over and no other process does; then load the stored ids."""
        now = self._clock()
        if self._addresses:
            turn = await FEED_TURN.read_revised(self._shared)
            # A time further ahead was written before a clock was set back.
            is_due = not turn.value or not 0 < turn.value - now <= DAY_S
            if is_due and await FEED_TURN.write(self._shared, now + DAY_S, revision=turn.revision):
                await self._refresh(now)
        await self._check.keep_unknown(self._shared)
        state = await FEED.read(self._shared)
        if state and (state.read_at, state.half) != self._followed and (ids := await kept_ids(self._shared, state)):
            self._followed = state.read_at, state.half
            self._check.known_as = lru_cache(_REMEMBERED)(ids.known_as)

    async def _refresh(self, now: float) -> None:
        """Read the feeds and store their ids; if that fails, or the feeds shrank, the previous ids stay."""
        before = await FEED.read(self._shared) or FeedState()
        try:
            ids = await read_addresses(self._addresses, self._fetch)
            _refuse_shrunk(len(ids.items), before.items)
        except FeedUnusable as exc:
            since = before.since if before.why else now
            await FEED.write(self._shared, replace(before, tried_at=now, why=str(exc), since=since))
            await FEED_TURN.write(self._shared, now + HOUR_S)
            return
        await keep_ids(self._shared, ids, now)


def _refuse_shrunk(items: int, before: int) -> None:
    if items < SHRUNK * before:
        remedy = "if that is right, run `pinrelay feed` with its address"
        raise FeedUnusable(f"it shrank from {before:,} items to {items:,}: {remedy}")
