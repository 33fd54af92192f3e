"""Quotas of sources."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import SettingsError
from app.source.rate_limits import MAX_ADDRESSES, Quota, Quotas, read_quotas
from app.source.responses import RequestRefused
from tests.rows import every_row
from tests.source.door import Ledger, client, tracking

SHOP = {"shop": Quota(events=60, bytes=6_000)}


class Clock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@every_row(
    ("used", "wait_s"),
    [
        pytest.param({"events": 59, "size": 5_999}, None, id="nearly all"),
        pytest.param({"events": 60}, 1, id="all events"),
        pytest.param({"size": 6_000}, 1, id="all bytes"),
        pytest.param({"events": 120}, 61, id="twice as many events as there are, in one request"),
        pytest.param({"events": 60, "size": 12_000}, 61, id="what takes longest counts"),
    ],
)
def test_what_is_used_up_comes_back_steadily(used: dict[str, int], wait_s: int | None) -> None:
    clock = Clock()
    quotas = Quotas(SHOP, clock)
    quotas.charge("shop", None, **used)
    if wait_s is None:
        quotas.check("shop")
        return
    with pytest.raises(RequestRefused) as caught:
        quotas.check("shop")
    assert (caught.value.refusal.status, caught.value.refusal.retry_after_s) == (429, wait_s)
    clock.now += wait_s
    quotas.check("shop")


def test_sources_without_a_quota_and_those_of_nobody_have_none() -> None:
    quotas = Quotas(SHOP, Clock())
    for source in ("app", None):
        quotas.charge(source, events=10**9, size=10**9)
        quotas.check(source)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 30)), max_size=200))
def test_whatever_comes_when_no_more_passes_than_two_minutes_worth_and_one_request(
    requests: list[tuple[int, float]],
) -> None:
    clock = Clock()
    quotas = Quotas(SHOP, clock)
    passed, begun = 0, clock.now
    for events, pause_s in requests:
        clock.now += pause_s
        try:
            quotas.check("shop")
        except RequestRefused:
            continue
        quotas.charge("shop", events=events)
        passed += events

    assert passed <= 60 + (clock.now - begun) + 50


def test_each_address_has_a_quota_and_only_so_many_addresses_are_known() -> None:
    clock = Clock()
    quotas = Quotas({"shop@address": Quota(events=60, bytes=6_000)}, clock)
    quotas.charge("shop", "203.0.113.9", events=60)
    with pytest.raises(RequestRefused) as caught:
        quotas.check("shop", "203.0.113.9")
    assert caught.value.refusal.retry_after_s == 1
    for other in (("shop", "203.0.113.10"), ("shop", None), ("app", "203.0.113.9")):
        quotas.check(*other)
    for number in range(MAX_ADDRESSES):
        quotas.check("shop", f"2001:db8:{number:x}::/64")
    assert len(quotas._left_of_each) == MAX_ADDRESSES
    quotas.check("shop", "203.0.113.9")


ADDRESSES = ("shop@address:1:100000", "erp@address:1:100000")


@every_row(
    ("key", "peers", "secret", "statuses"),
    [
        ("k1", ["198.51.100.7"] * 3, (), [200, 200, 429]),
        ("k1", ["198.51.100.7", "198.51.100.8", "198.51.100.9"], (), [200] * 3),
        ("k1", ["2001:db8::1", "2001:db8::2", "2001:db8::3"], (), [200, 200, 429]),  # one network, one household
        ("k1", ["10.0.0.7"] * 3, (), [200] * 3),  # an address of nobody: many may sit behind it
        ("k2", ["198.51.100.7"] * 3, ("erp",), [200] * 3),  # of a server
    ],
)
async def test_an_address_that_floods_is_held_up_and_others_are_not(
    key: str, peers: list[str], secret: tuple[str, ...], statuses: list[int]
) -> None:
    app = tracking(
        Ledger(),
        keys=("shop:k1", "erp:k2"),
        limits_of_keys=ADDRESSES,
        proxies=("127.0.0.1",),
        trusted_senders=secret,
    )
    answers = []
    async with client(app, peer="127.0.0.1") as http:
        for peer in peers:
            headers = {"x-forwarded-for": peer}
            answers.append(await http.post(f"/v1/page?writeKey={key}", json={}, headers=headers))
    assert [answer.status_code for answer in answers] == statuses


def test_without_proxies_that_are_trusted_no_address_has_a_quota() -> None:
    with pytest.raises(SettingsError, match="shop@address needs TRUSTED_PROXIES: without it all visitors"):
        tracking(Ledger(), limits_of_keys=("shop@address:2:100000",))


@every_row("text", ["shop", "shop:5", "shop:5:x", "shop:0:5", "shop:5:-1", "other:5:5", "shop:5:0"])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="WRITE_KEY_LIMITS"):
        read_quotas([text], ["shop"])


def test_a_name_may_hold_a_colon() -> None:
    assert read_quotas([" a:b : 5:7 "], ["a:b"]) == {"a:b": Quota(events=5, bytes=7)}


@pytest.mark.parametrize("key_in_body", [False, True])
async def test_beyond_its_quota_a_key_is_asked_to_come_again_and_others_are_not(key_in_body: bool) -> None:  # noqa: FBT001 - a column
    ledger = Ledger()
    app = tracking(ledger, keys=("shop:k1", "app:k2"), limits_of_keys=("shop:3:100000",))

    async def post(http: httpx.AsyncClient, key: str) -> httpx.Response:
        batch = {"batch": [{"type": "page"}] * 2}
        if key_in_body:
            return await http.post("/v1/batch", json={**batch, "writeKey": key})
        return await http.post(f"/v1/batch?writeKey={key}", json=batch)

    async with client(app) as http:
        answers = [await post(http, key) for key in ("k1", "k1", "k1", "k2", "k2", "k2")]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 200, 200]
    assert 0 < int(answers[2].headers["retry-after"]) <= 60
    assert answers[2].json()["code"] == "over_quota"
    assert len(ledger.kept) == 10
