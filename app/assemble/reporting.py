"""Makes the background task that reads Pinterest's own figures."""

from collections.abc import Callable, Sequence

import httpx
from starlette.types import ASGIApp

from app.assemble.ad_accounts import Destination
from app.assemble.joining import SANDBOX_URL
from app.config import Settings
from app.core.log import log_error, log_reports
from app.errors import SettingsError
from app.insights.reports import AdsClient, AdsToken, FixedToken, HourlyReading, RotatingToken
from app.outbox import Outbox

_TOGETHER = (
    "PINTEREST_CLIENT_ID, PINTEREST_CLIENT_SECRET, PINTEREST_REFRESH_TOKEN and PINTEREST_REPORTS_KEY go together"
)


def hourly_reading(
    settings: Settings,
    destinations: Sequence[Destination],
    outbox: Outbox,
    sandbox: ASGIApp | None,
    clock: Callable[[], float],
) -> tuple[HourlyReading, ...]:
    """Make what reads Pinterest's figures in the background; none where no token is set.

    Read are the ad accounts that are live; where none is, those of the sandbox. Raises SettingsError where a part of a
    token that renews itself is missing.
    """
    if not settings.reads_reports:
        return ()
    live = [each for each in destinations if not each.settings.sandboxed]
    here = None if live else sandbox
    client = AdsClient(
        api_url=SANDBOX_URL if here else (live or destinations)[0].settings.pinterest_api_url,
        timeout_s=settings.send_timeout_s,
        transport=httpx.ASGITransport(app=here) if here else None,
    )
    reading = HourlyReading(
        outbox,
        client,
        _token(settings, outbox, client),
        ad_account_ids=[each.ad_account_id for each in live or destinations],
        event_names=settings.custom_event_names,
        clock=clock,
        on_error=log_error,
        on_trouble=log_reports,
    )
    return (reading,)


def _token(settings: Settings, outbox: Outbox, client: AdsClient) -> AdsToken:
    client_id, secret = settings.pinterest_client_id, settings.pinterest_client_secret
    first, key = settings.pinterest_refresh_token, settings.pinterest_reports_key
    fixed = settings.pinterest_ads_token
    if fixed and not any((client_id, secret, first, key)):
        return FixedToken(fixed)
    if fixed or not (client_id and secret and first and key):
        raise SettingsError(f"{_TOGETHER}: set all four, or PINTEREST_ADS_TOKEN alone")
    from app.outbox.sealed_events import Sealer  # noqa: PLC0415 - its library is loaded where a token renews itself only

    sealer = Sealer(key.get_secret_value(), about="reports")
    return RotatingToken(outbox, client, sealer, client_id=client_id, client_secret=secret, first=first)
