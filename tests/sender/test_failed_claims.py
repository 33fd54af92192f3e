"""Whatever fails behind a claim, its deliveries are sent: a lease that nobody works on is not renewed without end."""

import time
from typing import Any

import pytest

from app.core.consent import Answer
from app.sender.consent import consent_check
from tests import assembled
from tests.sender.faulty import Faulty, unavailable
from tests.sender.stage import Stage, ids

NO = Answer(key="a" * 16, author="a" * 16, is_trusted=False, is_opt_out=True, at=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["consent_keys", "subjects_of"])
async def test_a_store_that_is_away_when_consents_are_asked_keeps_no_claim(stage: Stage, method: str) -> None:
    """A leader that was replaced in this moment left deliveries claimed until the sender was started again."""
    await stage.outbox.write_consents([NO])
    faulty: Any = Faulty(stage.outbox, **{method: unavailable(2)})
    stage.consents = consent_check(faulty, assembled.settings(consent_categories=("ads",)), time.monotonic)
    await stage.enqueue(*ids("order", 20))
    async with stage.worker(send_timeout_s=0.2):
        await stage.settled(deadline_s=20)
    assert faulty.faults[method] == []
    assert len(stage.errors) == 2
    assert (await stage.state())["received"] == 20


@pytest.mark.slow
async def test_a_store_that_is_away_when_a_probe_begins_keeps_no_claim(stage: Stage) -> None:
    faulty = Faulty(stage.outbox, put_shared=[None, *unavailable(2), None, *unavailable(2)])
    await stage.script({"status": 503, "times": 5})
    await stage.enqueue(*ids("order", 20))
    async with stage.worker(faulty, send_timeout_s=0.2):
        await stage.settled(deadline_s=20)
    assert faulty.faults["put_shared"] == []
    assert (await stage.state())["received"] == 20
