"""A token that renews itself: the newest is kept sealed, and a crash between costs nothing."""

import httpx
import pytest
from pydantic import SecretStr

from app.core.shared_values import ADS_TOKEN
from app.core.values.times import DAY_S
from app.errors import OutboxUnavailable
from app.insights.reports.ads_client import AdsClient, NoToken
from tests.insights.reports.conftest import FIRST, NOW, Read


async def test_it_is_renewed_before_it_ends_and_not_sooner(read: Read) -> None:
    token = read.renewing(read.against(refresh_token=FIRST))
    first = await token.current(NOW)
    assert isinstance(first, SecretStr)
    assert await token.current(NOW + DAY_S) == first
    read.now = NOW + 30 * DAY_S
    second = await token.current(read.now)
    assert isinstance(second, SecretStr)
    assert second != first
    assert read.calls[0].paths == ["/v5/oauth/token"] * 2


async def test_what_is_kept_shows_nothing_without_the_key(read: Read) -> None:
    await read.renewing(read.against(refresh_token=FIRST)).current(NOW)
    stored = await ADS_TOKEN.read(read.outbox)
    assert stored is not None
    text = repr(stored)
    assert [secret for secret in ("pina_", "pinr_", "refresh") if secret in text] == []
    client = read.against(refresh_token=FIRST)  # another sandbox, which knows the first one only
    assert isinstance(await read.renewing(client, key="z" * 32).current(NOW), SecretStr)


async def test_every_process_goes_on_with_the_newest(read: Read) -> None:
    client = read.against(refresh_token=FIRST)
    for _ in range(5):
        read.now += 30 * DAY_S
        assert isinstance(await read.renewing(client).current(read.now), SecretStr)  # as if started anew each time


async def test_a_crash_before_it_was_kept_costs_nothing(read: Read) -> None:
    client = read.against(refresh_token=FIRST)
    token = read.renewing(client)
    await token.current(NOW)
    read.now += 30 * DAY_S

    class Crashing:
        def __getattr__(self, name: str) -> object:
            return getattr(read.outbox, name)

        async def put_shared(self, key: str, value: object, *, revision: int | None = None) -> None:
            raise OutboxUnavailable("gone")

    crashing = read.renewing(client)
    crashing._shared = Crashing()  # type: ignore[assignment] # the store goes away between the two
    with pytest.raises(OutboxUnavailable):
        await crashing.current(read.now)
    assert isinstance(await token.current(read.now), SecretStr)


async def test_another_refresh_token_in_the_settings_replaces_what_is_kept(read: Read) -> None:
    await read.renewing(read.against(refresh_token=FIRST)).current(NOW)
    other = SecretStr("pinr_other")
    assert isinstance(await read.renewing(read.against(refresh_token=other), first=other).current(NOW), SecretStr)


async def test_one_that_pinterest_no_longer_takes_is_over(read: Read) -> None:
    found = await read.renewing(read.against(refresh_token=SecretStr("another"))).current(NOW)
    assert isinstance(found, NoToken)
    assert found.is_over
    assert "make a new one for PINTEREST_APP" in found.why


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.Response(429), httpx.Response(200, json={}), None])
async def test_trouble_at_pinterest_is_no_end(read: Read, answer: httpx.Response | None) -> None:
    def pinterest(_: httpx.Request) -> httpx.Response:
        if answer is None:
            raise httpx.ConnectError("refused")
        return answer

    client = AdsClient(api_url="http://pinterest/v5", timeout_s=5, transport=httpx.MockTransport(pinterest))
    found = await read.renewing(client).current(NOW)
    assert isinstance(found, NoToken)
    assert not found.is_over
    await client.close()


async def test_a_token_that_pinterest_took_back_is_renewed_at_once(read: Read) -> None:
    await read.renewing(read.against(refresh_token=FIRST)).current(NOW)
    client = read.against(refresh_token=FIRST)  # knows nothing of the tokens of the other
    assert await read.reading(client, read.renewing(client)).look()
    assert read.troubles == []
    assert read.calls[1].paths[1:4] == ["/v5/oauth/token", "/v5/oauth/token", read.calls[1].paths[0]]
