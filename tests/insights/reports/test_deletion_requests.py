"""A request to Pinterest to delete a person, followed to its end: the address is sealed, and goes with the answer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app import assemble
from app.access.audit import Audit
from app.core.people import Erasure, NamedPerson
from app.core.shared_values import DELETIONS, ERASURES, PinterestDeletion
from app.destination import TypedPerson
from app.errors import OutboxUnavailable
from app.insights.reports.ads_client import AdsClient, FixedToken
from app.insights.reports.deletion_requests import DESTROY_S, NO_BETA, DeletionRequests
from app.operations.forget import ForgetActs
from app.outbox import Outbox, open_outbox
from app.outbox.sealed_events import Sealer
from app.sandbox import Account, create_sandbox
from tests import assembled
from tests.access.test_audit import ADA
from tests.disks import bytes_of
from tests.outbox.build import ACCOUNT, HOUR_S, NOW, At, new, payload
from tests.outbox.new_store import new_store

EMAIL = "ann@shop.example"
CLICK = "dj0yJnU9annJnA9MQ"
KEY = "a key of the quarantine, long enough"
WINDOW_S = 72 * HOUR_S


@dataclass
class Scene:
    """An erasure whose request waits, and Pinterest."""

    folder: Path
    outbox: Outbox
    acts: ForgetActs
    now: float = NOW
    account: Account = field(default_factory=Account)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pinterest = create_sandbox(account=self.account, clock=lambda: self.now)

    def job(self, shared: Any = None) -> DeletionRequests:
        """A process that asks Pinterest, as after a start."""
        transport = httpx.ASGITransport(self.pinterest)
        client = AdsClient(api_url="http://sandbox/v5", timeout_s=5, transport=transport)
        return DeletionRequests(
            shared or self.outbox,
            client,
            FixedToken(SecretStr("pina_ads")),
            Sealer(KEY, about="deletion"),
            scrub=self.outbox.scrub,
            clock=lambda: self.now,
            on_error=lambda exc: None,
            on_trouble=lambda _, why: self.told.append(why),
        )

    async def look(self, later_s: float = HOUR_S) -> PinterestDeletion:
        """Let time pass and a new process look; return how the request is."""
        self.now += later_s
        await self.job().look()
        return await self.request()

    async def request(self) -> PinterestDeletion:
        (one,) = (await DELETIONS.read_all(self.outbox)).values()
        return one

    async def certificate(self) -> tuple[str, Erasure]:
        (found,) = (await ERASURES.read_all(self.outbox)).items()
        return found

    async def sandbox(self, method: str, path: str, **given: Any) -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.pinterest), base_url="http://sandbox") as http:
            answer = await http.request(method, path, **given)
            return answer.json() if answer.content else None

    def files(self) -> bytes:
        return b"".join(bytes_of(each) for each in self.folder.iterdir()).lower()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    given: dict[str, Any] = {"quarantine_key": KEY, "pinterest_ads_token": "pina_ads", "retention_days": "payload:1"}
    settings = assembled.settings(outbox_url=new_store(tmp_path, "o.db"), **given)
    outbox = open_outbox(settings.outbox_url, settings, clock=lambda: NOW)

    async def empty() -> None: ...

    made = Scene(tmp_path, outbox, assemble.forget_acts(settings, outbox, Audit(outbox, lambda: made.now), empty))
    digest = settings and TypedPerson(settings)(EMAIL)
    at = At(outbox)
    await at.enqueue(new(order_id="7", buyer=(digest,), payload=payload(em=[digest], click_id=CLICK)))
    await at.deliver(*await at.claim())
    yield made
    await outbox.close()


async def erase(scene: Scene) -> None:
    await scene.acts.forget(ADA, NamedPerson(emails=(EMAIL,)))


@pytest.mark.slow
async def test_it_is_followed_to_its_end_and_the_address_is_gone_with_the_answer(scene: Scene) -> None:
    await erase(scene)
    waits = await scene.request()
    assert (waits.ad_account_id, waits.request_id, bool(waits.sealed)) == (ACCOUNT, "", True)
    assert EMAIL.encode() not in scene.files()
    number, certificate = await scene.certificate()
    assert (waits.certificate, certificate.pinterest) == (number, (f"{ACCOUNT}: waits to be sent",))
    pending = await scene.look()
    (asked,) = await scene.sandbox("GET", "/deletions")
    assert asked["targets"] == {"user_emails": [EMAIL], "epiks": [CLICK]}
    assert (pending.status, pending.request_id, pending.sealed) == ("PENDING", "1", "")
    assert waits.sealed[:32].lower().encode() not in scene.files(), "nowhere at all after the answer"
    assert (await scene.look()).status == "PENDING"
    done = await scene.look(WINDOW_S)
    assert (done.status, done.is_over) == ("SUBMITTED", True)
    assert (await scene.certificate())[1].pinterest == (f"{ACCOUNT}: SUBMITTED",)
    assert len(await scene.sandbox("GET", "/deletions")) == 1


class Dies:
    """A store whose process is killed at one of its writes."""

    def __init__(self, outbox: Outbox, at: int) -> None:
        self._outbox, self._left = outbox, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    async def put_shared(self, *given: Any, **named: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise OutboxUnavailable("killed")
        return await self._outbox.put_shared(*given, **named)


@pytest.mark.slow
@pytest.mark.parametrize("step", range(4))
async def test_killed_at_each_step_it_goes_on_and_goes_at_least_once(scene: Scene, step: int) -> None:
    await erase(scene)
    scene.now += HOUR_S
    try:
        await scene.job(Dies(scene.outbox, step)).look()
    except OutboxUnavailable:
        assert step < 3
    pending = await scene.look()
    assert (pending.status, pending.sealed) == ("PENDING", "")
    assert (await scene.look(WINDOW_S)).status == "SUBMITTED"
    assert len(await scene.sandbox("GET", "/deletions")) == (2 if step == 1 else 1), "the answer was lost"
    assert EMAIL.encode() not in scene.files()


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [{"status": 503}, {"status": 429}, {"reset": True}, {"half": True}])
async def test_what_pinterest_does_not_answer_is_asked_again(scene: Scene, trouble: dict[str, Any]) -> None:
    await erase(scene)
    await scene.sandbox("PUT", "/script", json={"steps": [{**trouble, "to": "deletions", "times": 2}]})
    for _ in range(2):
        waits = await scene.look()
        assert (waits.request_id, bool(waits.sealed)) == ("", True)
    assert len(scene.told) == 1
    assert (await scene.look()).status == "PENDING"


@pytest.mark.slow
async def test_without_the_beta_it_is_told_once_and_the_address_ends_after_30_days(scene: Scene) -> None:
    scene.account = Account(refused_reports={"conversion_deletion_requests": 403})
    scene.__post_init__()
    await erase(scene)
    assert [(await scene.look()).status for _ in range(3)] == [f"waits: {NO_BETA}"] * 3
    assert scene.told == [f"waits: {NO_BETA}"]
    done = await scene.look(DESTROY_S)
    assert (done.sealed, done.is_over) == ("", True)
    assert "30 days" in done.status


@pytest.mark.slow
@pytest.mark.parametrize(("later_s", "status"), [(0, "CANCELLED before it was sent"), (HOUR_S, "CANCELLED")])
async def test_it_is_taken_back_within_72_hours(scene: Scene, later_s: float, status: str) -> None:
    await erase(scene)
    number, _ = await scene.certificate()
    if later_s:
        await scene.look(later_s)
    assert await scene.acts.cancel_deletion(ADA, number) == 1
    done = await scene.look(1)
    assert (done.status, done.sealed, done.is_over) == (status, "", True)
    assert [each["status"] for each in await scene.sandbox("GET", "/deletions")] == ["CANCELLED"] * bool(later_s)
    assert await scene.acts.cancel_deletion(ADA, number) == 0


@pytest.mark.slow
async def test_what_is_taken_back_too_late_says_so(scene: Scene) -> None:
    await erase(scene)
    number, _ = await scene.certificate()
    await scene.look()
    await scene.acts.cancel_deletion(ADA, number)
    assert "too late" in (await scene.look(WINDOW_S)).status


@pytest.mark.slow
async def test_an_address_that_no_key_opens_is_destroyed(scene: Scene) -> None:
    await erase(scene)
    (name,) = await DELETIONS.read_all(scene.outbox)
    sealed = Sealer("another key, which is long enough too").seal({"user_emails": [EMAIL]}) or ""
    one = PinterestDeletion(certificate="1", ad_account_id=ACCOUNT, asked_at=NOW, sealed=sealed)
    await DELETIONS.of(name).write(scene.outbox, one)
    done = await scene.look()
    assert (done.sealed, done.is_over) == ("", True)
