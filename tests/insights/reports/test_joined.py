"""The settings say whether, and by which token, Pinterest's figures are read."""

import asyncio
from typing import Any

import pytest

from app import assemble
from app.assemble.ad_accounts import destinations
from app.core.shared_values import PINTEREST_VIEWS
from app.errors import OutboxUnavailable, SettingsError
from app.sandbox import create_sandbox
from tests import assembled
from tests.insights.reports.conftest import NOW, Read
from tests.waiting import until_async

RENEWS: dict[str, Any] = {
    "pinterest_app": "app:secret:first",
    "pinterest_reports_key": "k" * 32,
}


@pytest.mark.parametrize("changes", [{"pinterest_ads_token": "pina"}, RENEWS])
async def test_in_the_sandbox_figures_are_read_as_of_a_live_account(read: Read, changes: dict[str, Any]) -> None:
    settings = assembled.settings(**changes)
    sandbox = create_sandbox(clock=lambda: NOW)
    (reading,) = assemble.hourly_reading(settings, destinations(settings), read.outbox, sandbox, lambda: NOW)
    assert await reading.look()
    (view,) = (await PINTEREST_VIEWS.read_all(read.outbox)).values()
    assert (view.unread, set(view.read_at.values())) == ({}, {NOW})
    assert settings.reads_reports


async def test_a_store_that_is_away_is_asked_again_and_the_end_closes_the_connections(read: Read) -> None:
    await read.outbox.close()
    errors: list[Exception] = []
    reading = read.reading(read.against(), on_error=errors.append)
    running = asyncio.create_task(reading.run())

    async def told() -> bool:
        return bool(errors)

    await until_async(told)
    reading.stop()
    await running
    assert isinstance(errors[0], OutboxUnavailable)


def test_without_a_token_nothing_runs(read: Read) -> None:
    settings = assembled.settings()
    assert assemble.hourly_reading(settings, destinations(settings), read.outbox, None, lambda: NOW) == ()
    assert not settings.reads_reports


@pytest.mark.parametrize(
    "changes",
    [
        {"pinterest_app": "app:secret:first"},
        {"pinterest_reports_key": "k" * 32},
        {**RENEWS, "pinterest_ads_token": "pina"},
    ],
)
def test_half_of_what_is_needed_is_refused_with_what_helps(read: Read, changes: dict[str, Any]) -> None:
    settings = assembled.settings(**changes)
    with pytest.raises(SettingsError, match="set both, or PINTEREST_ADS_TOKEN alone"):
        assemble.hourly_reading(settings, destinations(settings), read.outbox, None, lambda: NOW)
