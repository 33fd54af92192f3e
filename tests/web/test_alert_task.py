"""Alerts while the server runs; what is told when is in tests/alerts."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.core.shared_values import Incident
from app.insights.alerts.watcher import AlertWebhook
from app.sender import shutdown
from tests.waiting import until_async
from tests.web.client import client_of


@pytest.mark.parametrize(
    ("events_while_off", "become"), [("delay", "are kept, and sent"), ("withhold", "are withheld")]
)
@pytest.mark.usefixtures("tuned_back")
async def test_alerts_go_where_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events_while_off: str, become: str
) -> None:
    told: list[str] = []

    async def post(_: AlertWebhook, incidents: Sequence[Incident]) -> str:
        told.extend(each.text for each in incidents)
        return ""

    async def is_told() -> bool:
        return bool(told)

    monkeypatch.setattr(AlertWebhook, "post", post)
    monkeypatch.setattr(shutdown, "LOOK_S", 0.01)
    hook = "https://hooks.example/s3cret"
    async with client_of(tmp_path, alert_webhook_url=hook, events_while_off=events_while_off) as client:
        await client.post("/api/v1/switch", json={"on": False})
        await until_async(is_told)

    assert [become in line for line in told] == [True]
