"""The sandbox lets figures be read as strictly as Pinterest describes it."""

import base64

import httpx
import pytest
from pydantic import SecretStr

from app.sandbox import Account, create_sandbox
from tests.sandbox.conftest import client_of

ANALYTICS = {"start_date": "2026-11-01", "end_date": "2026-11-14", "columns": "TOTAL_CHECKOUT", "granularity": "TOTAL"}
NOW = 1_795_000_000.0
SIGNED = {"Authorization": f"Basic {base64.b64encode(b'app:secret').decode()}"}
FORM = {"grant_type": "refresh_token", "refresh_token": "first"}


@pytest.fixture
def reader() -> httpx.AsyncClient:
    return client_of(create_sandbox(account=Account(ad_account_id="42"), clock=lambda: NOW))


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v5/ad_accounts/42", {}, 200),
        ("/v5/ad_accounts/43", {}, 403),
        ("/v5/ad_accounts/x", {}, 400),
        ("/v5/ad_accounts/42/conversion_eqs", {}, 400),
        ("/v5/ad_accounts/42/conversion_eqs", {"lookback_period": "7d"}, 400),
        ("/v5/ad_accounts/42/conversion_eqs", {"lookback_period": "1d", "ingestion_source": "TAG"}, 200),
        ("/v5/ad_accounts/42/analytics", ANALYTICS, 200),
        ("/v5/ad_accounts/42/analytics", {**ANALYTICS, "granularity": "DAILY"}, 400),
        ("/v5/ad_accounts/42/analytics", {**ANALYTICS, "view_window_days": "2"}, 400),
        ("/v5/ad_accounts/42/analytics", {**ANALYTICS, "start_date": "2026-02-30"}, 400),
        ("/v5/ad_accounts/42/analytics", {**ANALYTICS, "start_date": "2026-01-01"}, 400),
        ("/v5/ad_accounts/42/analytics", {**ANALYTICS, "end_date": "2026-10-01"}, 400),
        ("/v5/ad_accounts/42/analytics", {**ANALYTICS, "window": "1"}, 400),
        ("/v5/ad_accounts/42/advertiser_defined_events", {}, 200),
    ],
)
async def test_who_asks_amiss_is_told(
    reader: httpx.AsyncClient, path: str, params: dict[str, str], status: int
) -> None:
    async with reader:
        answer = await reader.get(path, params=params)
        assert answer.status_code == status
        assert status == 200 or set(answer.json()) == {"code", "message"}
        assert (await reader.get(path, params=params, headers={"Authorization": "Basic x"})).status_code == 401


async def test_a_refresh_token_is_used_until_its_successor_is() -> None:
    now = NOW
    app = create_sandbox(account=Account(refresh_token=SecretStr("first")), clock=lambda: now)
    async with client_of(app) as reader:

        async def renewed(token: str) -> httpx.Response:
            return await reader.post("/v5/oauth/token", data={**FORM, "refresh_token": token}, headers=SIGNED)

        second = (await renewed("first")).json()
        again = (await renewed("first")).json()  # as after a crash
        assert (await renewed(second["refresh_token"])).status_code == 400
        third = (await renewed(again["refresh_token"])).json()
        assert (await renewed("first")).status_code == 400
        reads = {"Authorization": f"Bearer {third['access_token']}"}
        assert (await reader.get("/v5/ad_accounts/1", headers=reads)).status_code == 200
        assert (await reader.get("/v5/ad_accounts/1")).status_code == 401
        now += 40 * 86_400
        assert (await reader.get("/v5/ad_accounts/1", headers=reads)).status_code == 401


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        (FORM, SIGNED, 200),
        (FORM, {"Authorization": "Basic ?"}, 401),
        (FORM, {"Authorization": "Basic A"}, 401),
        (FORM, {"Authorization": f"Basic {base64.b64encode(b'app:').decode()}"}, 401),
        ({**FORM, "grant_type": "password"}, SIGNED, 400),
        ({"grant_type": "refresh_token"}, SIGNED, 400),
    ],
)
async def test_a_token_is_given_to_whoever_proves_the_app(
    reader: httpx.AsyncClient, form: dict[str, str], headers: dict[str, str], status: int
) -> None:
    async with reader:
        assert (await reader.post("/v5/oauth/token", data=form, headers=headers)).status_code == status
