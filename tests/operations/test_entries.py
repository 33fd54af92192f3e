"""The audit entry of an operation: what was done, to which target, and with which result."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from app import assemble
from app.access.audit import Audit
from app.access.users import UserRole
from app.core.pages import AuditAction
from app.core.values.times import DAY_S
from app.errors import Forbidden
from app.operations.declaration import Call, Operation, Params, Result, Services
from app.operations.deliveries import DeadParams, redrive
from app.outbox import open_outbox
from app.pipeline.replay import Replaying
from tests import assembled
from tests.access.test_audit import ADA
from tests.outbox.build import NOW, At, new, rules
from tests.outbox.new_store import new_store


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[Call]:
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    settings = assembled.settings()
    finder = assemble.event_finder(settings, outbox)
    running = assemble.running_catalog(settings)

    async def replaying() -> Replaying:
        return assemble.replaying(settings, running, outbox, why_off=lambda *_: None, clock=lambda: NOW + 1)

    audit = Audit(outbox, lambda: NOW + 1)
    services = Services(
        settings=settings,
        outbox=outbox,
        finder=finder,
        audit=audit,
        catalog=lambda: running.catalog,
        replaying=replaying,
    )
    yield Call(person=ADA, services=services)
    await outbox.close()


async def entries(call: Call) -> list[tuple[str, str]]:
    return [(each.target, each.after) for each in (await call.services.outbox.audit(limit=9)).entries]


async def test_a_redrive_counts_what_stays_dead_and_why(call: Call) -> None:
    at = At(call.services.outbox)
    await at.dead_letter(new(event_id="waits"))
    await at.enqueue(new(event_id="waits"))
    await at.dead_letter(new(event_id="free"))
    await at.dead_letter(new(event_id="old", event_time=int(NOW - 8 * DAY_S)))
    dry = await redrive(call, DeadParams(all=True, dry_run=True))
    assert (dry.redriven, dry.too_old, await entries(call)) == (2, 1, [])
    done = await redrive(call, DeadParams(all=True))
    assert (done.redriven, done.overtaken, done.waiting, done.too_old) == (1, 0, 1, 1)
    assert await entries(call) == [("all", "1 redriven, 1 waiting, 1 too old")]


async def test_a_viewer_gets_the_counts_of_a_dry_run_and_changes_nothing(call: Call) -> None:
    viewer = replace(call, person=replace(ADA, role=UserRole.VIEWER))
    await At(call.services.outbox).dead_letter(new(event_id="free"))
    assert (await redrive(viewer, DeadParams(all=True, dry_run=True))).redriven == 1
    with pytest.raises(Forbidden):
        await redrive(viewer, DeadParams(all=True))
    assert await entries(call) == []


class PersonParams(Params):
    email: str = Field(json_schema_extra={"x-personal": True})
    reference: str = ""


class Erased(Result):
    erased: int


async def test_personal_parameters_are_not_in_the_entry_and_not_in_an_address(call: Call) -> None:
    async def run(_: Call, params: Any) -> Erased:
        assert params.email == "ann@shop.example"
        return Erased(erased=2)

    erase = Operation(
        name="people erase",
        text="Erase a person.",
        role=UserRole.OPERATOR,
        params=PersonParams,
        result=Erased,
        run=run,
        audit=AuditAction.FORGET,
    )
    assert erase.method == "POST"
    await erase(call, PersonParams(email="ann@shop.example", reference="T-1"))
    assert await entries(call) == [("reference T-1", "2 erased")]
