"""gzip, deflate and zstd undone within bounds."""

import asyncio
import gzip
import random
import time
import zlib
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.source.body import PIECE_BYTES, MemoryBudget, decompress, decompressed_size, measured, pieces
from app.source.responses import BROKEN_JSON, NO_ROOM, TOO_LARGE, RequestRefused
from tests.rounds import examples
from tests.rows import every_row
from tests.source.door import zstd


async def decompressed(raw: bytes, max_bytes: int = 8_000_000) -> bytes:
    return await decompress(raw, await measured(raw, max_bytes))


def streamed(body: bytes) -> bytes:
    """Return zstd that does not say how much it is."""
    stream = zstd.ZstdCompressor(1)
    return bytes(stream.compress(body) + stream.flush())


@settings(deadline=None)  # a busy machine is no fault
@given(st.binary(), st.integers(1, 40_000))
async def test_any_body_of_up_to_1_mb_comes_out_as_it_went_in_packed_or_plain(piece: bytes, times: int) -> None:
    body = (b"{" + piece * times)[:1_000_000]  # beyond it one that packs too tightly is refused

    assert b"".join(pieces(body, len(body))) == body
    for packed in (body, gzip.compress(body, 1), zlib.compress(body, 1), zstd.compress(body, 1), streamed(body)):
        assert await decompressed(packed) == body
        assert decompressed_size(packed, 8_000_000) == len(body)
        assert b"".join(pieces(packed, len(body))) == body


@every_row("level", range(10))
async def test_deflate_of_each_level_is_known_by_its_header(level: int) -> None:
    assert await decompressed(zlib.compress(b'{"a": 1}', level)) == b'{"a": 1}'


@pytest.mark.parametrize(
    "raw",
    [b"[1,2]", gzip.compress(b"[1,2]", mtime=0), zlib.compress(b"[1,2]"), zstd.compress(b"[1,2]")],
    ids=["plain", "gzip", "deflate", "zstd"],
)
def test_a_body_that_decompresses_to_more_than_the_bound_is_refused(raw: bytes) -> None:
    assert decompressed_size(raw, 5 if len(raw) == 5 else 30) == 5
    with pytest.raises(RequestRefused) as caught:
        decompressed_size(raw, 4)

    assert caught.value.refusal is TOO_LARGE


@every_row(
    ("decompressed_bytes", "is_taken"),
    [
        pytest.param(1_000_000, True, id="up to 1 MB at any ratio"),
        pytest.param(1_000_001, False, id="beyond it not at a thousand to one"),
    ],
)
@every_row("pack", [gzip.compress, zlib.compress, zstd.compress, streamed])
async def test_a_bomb_is_refused(
    pack: Callable[[bytes], bytes],
    decompressed_bytes: int,
    is_taken: bool,  # noqa: FBT001 - a column
) -> None:
    bomb = pack(bytes(decompressed_bytes))
    if is_taken:
        assert await measured(bomb, 8_000_000) == decompressed_bytes
        return
    with pytest.raises(RequestRefused) as caught:
        await measured(bomb, 8_000_000)
    assert caught.value.refusal is TOO_LARGE


@pytest.mark.slow
@pytest.mark.parametrize("pack", [zlib.compress, zstd.compress, streamed])
async def test_a_bomb_that_does_not_say_its_size_is_decompressed_no_further_than_the_bound(
    pack: Callable[[bytes], bytes],
) -> None:
    bomb = pack(bytes(200_000_000))
    begun = time.process_time()
    with pytest.raises(RequestRefused):
        await measured(bomb, 8_000_000)
    assert time.process_time() - begun < 0.1  # all of it takes longer


@pytest.mark.parametrize("raw", [zlib.compress(b""), zstd.compress(b""), streamed(b"")])
async def test_nothing_packed_is_nothing(raw: bytes) -> None:
    assert await decompressed(raw) == b""
    assert decompressed_size(raw, 5) == 0


def test_zstd_that_asks_for_a_large_window_is_broken() -> None:
    options = {zstd.CompressionParameter.window_log: 24}
    stream = zstd.ZstdCompressor(options=options)
    with pytest.raises(RequestRefused) as caught:
        decompressed_size(bytes(stream.compress(b"{}") + stream.flush()), 8_000_000)
    assert caught.value.refusal is BROKEN_JSON


def test_beyond_1_mb_batches_of_mobile_sdks_pass() -> None:
    raw = b"x" * 30_000  # of incompressible length, as if it were packed 49 to 1
    packed = b"\x1f\x8b" + raw + (49 * 30_000).to_bytes(4, "little")

    assert decompressed_size(packed, 8_000_000) == 49 * 30_000


@every_row(
    "raw",
    [
        pytest.param(gzip.compress(bytes(900), mtime=0)[:-4] + (5).to_bytes(4, "little"), id="more than it says"),
        pytest.param(gzip.compress(bytes(900), mtime=0)[:-4] + (901).to_bytes(4, "little"), id="less than it says"),
        pytest.param(gzip.compress(b"{}", mtime=0) * 2, id="two, one behind the other"),
        pytest.param(zlib.compress(b"{}") * 2, id="deflate, twice"),
        pytest.param(zstd.compress(b"{}") * 2, id="zstd, twice"),
        pytest.param(zlib.compress(bytes(900))[:-1], id="deflate cut off"),
        pytest.param(zstd.compress(bytes(range(256)))[:-1], id="zstd cut off"),
        pytest.param(b"\x78\x9cnothing of the kind", id="not deflate"),
        pytest.param(b"\x28\xb5\x2f\xfdnothing of the kind", id="not zstd"),
        pytest.param(b"\x1f\x8b", id="nothing but its mark"),
        pytest.param(b"\x1f\x8bnothing of the kind\0\0\0\0", id="not gzip"),
        pytest.param(gzip.compress(bytes(900), mtime=0)[:-12] + (900).to_bytes(4, "little"), id="cut off"),
    ],
)
async def test_what_is_packed_and_broken_is_broken(raw: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        await decompress(raw, decompressed_size(raw, 2**32))

    assert caught.value.refusal is BROKEN_JSON


@pytest.mark.slow
async def test_a_liar_is_decompressed_no_further_than_it_said() -> None:
    stream = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    packed = stream.compress(bytes(200_000_000)) + stream.flush()
    begun = time.process_time()
    with pytest.raises(RequestRefused) as caught:
        await decompressed(packed[:-4] + (5).to_bytes(4, "little"))

    assert caught.value.refusal is BROKEN_JSON
    assert time.process_time() - begun < 0.1  # all of it takes longer


async def test_others_get_their_turn_between_two_pieces() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    await decompressed(gzip.compress(random.Random(0).randbytes(4 * PIECE_BYTES)))
    other.cancel()

    assert turns >= 3


class TestRoom:
    LARGE = b"\x1f\x8b"

    async def test_bodies_wait_until_there_is_room_and_are_let_in_in_their_order(self) -> None:
        budget, order = MemoryBudget(10), []

        async def come(name: str, size: int, leave: asyncio.Event) -> None:
            async with budget.held(self.LARGE, size, timeout_s=60):
                order.append(name)
                await leave.wait()

        first, rest = asyncio.Event(), asyncio.Event()
        rest.set()
        tasks = [asyncio.create_task(come("first", 8, first)) for _ in range(1)]
        tasks += [asyncio.create_task(come(name, size, rest)) for name, size in (("second", 5), ("third", 2))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == ["first"]  # the third would fit, but is not let in before the second
        first.set()
        await asyncio.gather(*tasks)

        assert order == ["first", "second", "third"]

    async def test_what_finds_no_room_in_time_is_asked_to_come_again(self) -> None:
        budget = MemoryBudget(10)
        async with budget.held(self.LARGE, 10, timeout_s=60):
            with pytest.raises(RequestRefused) as caught:
                async with budget.held(self.LARGE, 1, timeout_s=0.01):
                    raise AssertionError
        assert caught.value.refusal is NO_ROOM
        async with budget.held(self.LARGE, 10, timeout_s=0.01):
            pass  # who gave up holds nothing

    @pytest.mark.parametrize("is_let_in", [False, True], ids=["while it waits", "as it is let in"])
    async def test_who_is_cancelled_holds_nothing(self, is_let_in: bool) -> None:  # noqa: FBT001 - a column
        budget = MemoryBudget(10)

        async def come() -> None:
            async with budget.held(self.LARGE, 10, timeout_s=60):
                raise AssertionError

        async with budget.held(self.LARGE, 10, timeout_s=60):
            waiting = asyncio.create_task(come())
            await asyncio.sleep(0)
            if not is_let_in:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
        waiting.cancel()
        (ended,) = await asyncio.gather(waiting, return_exceptions=True)

        assert isinstance(ended, asyncio.CancelledError)
        async with budget.held(self.LARGE, 10, timeout_s=0.01):
            pass

    async def test_a_small_plain_body_waits_for_nothing(self) -> None:
        budget = MemoryBudget(10)
        async with budget.held(self.LARGE, 10, timeout_s=60), budget.held(b"{}", 2, timeout_s=0):
            pass

    async def test_one_that_is_larger_than_all_the_room_goes_alone(self) -> None:
        budget = MemoryBudget(10)
        async with budget.held(self.LARGE, 11, timeout_s=0.01):
            with pytest.raises(RequestRefused):
                async with budget.held(self.LARGE, 1, timeout_s=0.01):
                    raise AssertionError

    @settings(deadline=None, max_examples=examples(30))
    @given(st.lists(st.tuples(st.integers(1, 15), st.booleans()), max_size=12))
    async def test_whoever_comes_and_goes_or_is_cancelled_the_room_is_whole_again(
        self, bodies: list[tuple[int, bool]]
    ) -> None:
        budget, held, most = MemoryBudget(10), 0, 0

        async def come(size: int) -> None:
            nonlocal held, most
            async with budget.held(self.LARGE, size, timeout_s=60):
                held += size
                most = max(most, held)
                await asyncio.sleep(0)
                held -= size

        tasks = [asyncio.create_task(come(min(size, 10))) for size, _ in bodies]
        await asyncio.sleep(0)
        for task, (_, is_cancelled) in zip(tasks, bodies, strict=True):
            if is_cancelled:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(budget.held(self.LARGE, 10, timeout_s=0.01))

        assert most <= 10 + sum(size for size, is_cancelled in bodies if is_cancelled)
