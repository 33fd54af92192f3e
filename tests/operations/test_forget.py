"""A person who asks to be forgotten, by a command and by an event."""

from itertools import count, product
from pathlib import Path
from typing import Any

import pytest

from app import assemble
from app.access.audit import Audit
from app.access.users import Person, UserRole
from app.core.deliveries import State
from app.core.events import Outcome
from app.core.pages import Query
from app.core.people import NamedPerson
from app.core.shared_values import Shared
from app.errors import EventRefused, OutboxUnavailable
from app.identity import IdKeys
from app.operations import forget
from app.outbox import Outbox, open_outbox
from app.source import Intake
from tests import assembled
from tests.identity.journeys import SETTINGS
from tests.outbox.build import At
from tests.outbox.new_store import new_store

NOW = 1_800_000_000.0
PERSON = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
PAGE = {"type": "page", "context": PERSON, "properties": {}}
#: Of messages that have no id of their own.
_numbers = count()


EVA = Person(name="eva", role=UserRole.OPERATOR, place="here")


async def nothing() -> None:
    """No tail is to be emptied."""


@pytest.fixture
def configured(tmp_path: Path) -> Any:
    return assembled.settings(**SETTINGS, outbox_url=new_store(tmp_path, "o.db"))


@pytest.fixture
async def outbox(configured: Any) -> Any:
    store = open_outbox(configured.outbox_url, configured, clock=lambda: NOW)
    yield store
    await store.close()


async def accept(
    configured: Any, outbox: Outbox, *events: dict[str, Any] | EventRefused, is_trusted: bool = True
) -> list[Any]:
    """Receive events; the lines of each."""
    pipeline = assemble.pipeline(configured, assembled.shipped_catalog(), outbox=outbox)
    complete = [
        event if isinstance(event, EventRefused) else {"messageId": f"m-{next(_numbers)}", "timestamp": NOW, **event}
        for event in events
    ]
    return [
        each.deliveries for each in (await pipeline.accept(Intake(complete, now=NOW, is_trusted=is_trusted))).events
    ]


IDENTIFY = {"type": "identify", "userId": "ann", "anonymousId": "x", "traits": {"email": "ann@shop.example"}}


@pytest.mark.slow
@pytest.mark.parametrize("value", [17, "", None, ["secret"]])
async def test_a_damaged_secret_of_the_store_is_never_replaced(outbox: Outbox, value: Any) -> None:
    await outbox.put_shared("secret", value)
    with pytest.raises(OutboxUnavailable, match="The shared value secret in the outbox is damaged") as told:
        await forget.secret_of_store(outbox, lambda: "another")
    assert told.value.why == "damaged"
    assert (await outbox.get_shared("secret") or Shared(value=0, revision=0)).value == value


async def test_a_user_is_forgotten_with_the_linked_browsers_and_what_waits(configured: Any, outbox: Outbox) -> None:
    forgetting = assemble.forgetting(configured, outbox)
    page, other = PAGE | {"messageId": "p", "anonymousId": "x"}, PAGE | {"messageId": "q", "anonymousId": "y"}
    await accept(configured, outbox, IDENTIFY, page, other)
    told = [await forgetting.forget(NamedPerson(user_id="ann"), now=NOW + 1) for _ in range(2)]
    assert [(each.ids, each.messages, each.stays) for each in told] == [(2, 1, ""), (0, 0, "")]
    assert [each.erased for each in told] == [{"ids of memory": 2, "payloads": 1, "waiting deliveries": 1}, {}]
    assert (await outbox.message("p")).deliveries == ()
    assert len((await outbox.message("q")).deliveries) == 1
    ((line,),) = await accept(configured, outbox, PAGE | {"userId": "ann", "anonymousId": "x"})
    assert line.memory is None


@pytest.mark.slow
async def test_what_is_too_old_to_be_used_is_forgotten_too(configured: Any, outbox: Outbox) -> None:
    await accept(configured, outbox, IDENTIFY)
    forgetting = assemble.forgetting(configured, outbox)
    assert (await forgetting.forget(NamedPerson(user_id="ann"), now=NOW + 1_000 * 86_400)).ids == 2


@pytest.mark.slow
@pytest.mark.parametrize(("users", "ids"), [(("ann",), 2), (("ann", "bob"), 1)])
async def test_a_browser_leads_to_its_user_where_it_has_only_one(
    configured: Any, outbox: Outbox, users: tuple[str, ...], ids: int
) -> None:
    pages = [PAGE | {"userId": user, "anonymousId": "x"} for user in users]
    await accept(configured, outbox, IDENTIFY, *pages)
    forgetting = assemble.forgetting(configured, outbox)
    told = await forgetting.forget(NamedPerson(anonymous_id="x"), now=NOW)
    assert (told.ids, told.messages) == (ids, len(pages))
    ((line,),) = await accept(configured, outbox, PAGE | {"userId": "ann"})
    assert (line.memory is None) == (ids == 2)


@pytest.mark.slow
async def test_an_event_of_a_known_sender_forgets_what_came_before_it_in_the_same_request_too(
    configured: Any, outbox: Outbox
) -> None:
    page = PAGE | {"messageId": "p", "userId": "ann"}
    delete = {"type": "delete", "userId": "ann"}
    await accept(configured, outbox, IDENTIFY, page, delete, is_trusted=False)
    assert len((await outbox.message("p")).deliveries) == 1
    _, _, _, (line,) = await accept(
        configured, outbox, IDENTIFY, PAGE | {"messageId": "r", "userId": "ann"}, delete, PAGE | {"userId": "ann"}
    )
    assert line.memory is None
    for message_id in ("p", "r"):
        assert (await outbox.message(message_id)).deliveries == ()


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [*product(("page", "delete"), repeat=4), ("delete", "refused", "page", "delete")])
async def test_of_a_request_what_is_behind_the_last_delete_is_kept_and_all_before_it_erased(
    configured: Any, outbox: Outbox, kinds: tuple[str, ...]
) -> None:
    """An order behind a delete in the same request was answered as taken, and erased."""
    events: list[Any] = [
        EventRefused("none") if kind == "refused" else PAGE | {"type": kind, "messageId": f"m{n}", "userId": "ann"}
        for n, kind in enumerate(kinds)
    ]
    lines = await accept(configured, outbox, *events)
    assert [line.outcome for (line,) in lines] == [
        {"page": Outcome.ENQUEUED, "delete": Outcome.UNMATCHED, "refused": Outcome.REFUSED}[kind] for kind in kinds
    ]
    kept = [f"m{n}" for n, kind in enumerate(kinds) if kind == "page" and "delete" not in kinds[n:]]
    assert await waiting(outbox) == kept
    await accept(configured, outbox, *events)
    assert await waiting(outbox) == kept, "sent once more, as a sender does that had no answer"


async def waiting(outbox: Outbox) -> list[str]:
    return [each.message_id for each in (await outbox.search(Query(), limit=100)).deliveries][::-1]


@pytest.mark.slow
@pytest.mark.parametrize("became", ["waits", "claimed", "delivered"])
async def test_of_a_request_that_is_sent_once_more_nothing_is_lost_nor_sent_twice(
    configured: Any, outbox: Outbox, became: str
) -> None:
    order: dict[str, Any] = {
        "type": "track",
        "event": "Order Completed",
        "userId": "ann",
        "context": PERSON,
        "messageId": "order",
    }
    request: list[dict[str, Any]] = [
        {"type": "delete", "userId": "ann"},
        order | {"properties": {"order_id": "7", "revenue": 5}},
    ]
    at = At(outbox, NOW)
    await accept(configured, outbox, *request)
    if became != "waits":
        (account,) = {each.ad_account_id for each in (await outbox.search(Query(), limit=9)).deliveries}
        rest: dict[str, Any] = {"limit": 9, "max_bytes": 10**6, "max_wait_s": 0, "lease_s": 60}
        claimed = await outbox.claim(account, now=NOW, **rest)
        await at.deliver(*(claimed if became == "delivered" else []))
    await accept(configured, outbox, *request)
    states = [each.state for each in (await outbox.search(Query(), limit=9)).deliveries]
    assert states == [State.DELIVERED if became == "delivered" else State.PENDING]
    await accept(configured, outbox, request[0])
    _, (alone,) = await accept(configured, outbox, request[0], request[1] | {"messageId": "another"})
    assert (alone.outcome, alone.reason) == (Outcome.WITHHELD, "its person was erased on 15 January 2027")


@pytest.mark.parametrize("settings", [{}, SETTINGS])
async def test_a_delete_that_erases_nobody_is_refused(outbox: Outbox, settings: dict[str, Any]) -> None:
    events: list[dict[str, Any]] = [{"type": "delete", "userId": "ann"}, PAGE | {"userId": "ann"}]
    (line,), (page,) = await accept(assembled.settings(**settings), outbox, *events, is_trusted=False)
    assert (line.outcome, page.outcome) == (Outcome.REFUSED, Outcome.ENQUEUED)
    assert "known by a secret" in line.reason


async def test_a_full_table_of_marks_is_counted(tmp_path: Path) -> None:
    small = assembled.settings(**SETTINGS, remember_max_people=1, outbox_url=new_store(tmp_path, "o.db"))
    store = open_outbox(small.outbox_url, small, clock=lambda: NOW)
    for name in ("x", "y"):
        await accept(small, store, PAGE | {"anonymousId": name, "properties": {"opt_out": True}})
    ((line,),) = await accept(small, store, IDENTIFY | {"type": "page", "context": PERSON})
    assert line.memory is None
    counted = {counter.name: counter.count for _, counter in await store.counters(since=0, step_s=0)}
    assert counted["memory_full"] == 2
    await store.close()


@pytest.mark.slow
@pytest.mark.parametrize("became", ["waits", "claimed", "delivered", "dead"])
async def test_an_erased_order_that_comes_again_is_withheld_with_that_reason(outbox: Outbox, became: str) -> None:
    """A dead order had let go of its keys: the shop's next `order.updated` brought the person back."""
    mine = assembled.settings()
    context = PERSON | {"traits": {"email": "ann@shop.example"}}
    order = {"type": "track", "event": "Order Completed", "userId": "ann", "context": context, "messageId": "order"}
    order |= {"properties": {"order_id": "7", "revenue": 5, "currency": "EUR"}}
    ((line,),) = await accept(mine, outbox, order)
    at, rest = At(outbox, NOW), {"limit": 9, "max_bytes": 10**6, "max_wait_s": 0, "lease_s": 60, "now": NOW}
    claimed = [] if became == "waits" else await outbox.claim(line.ad_account_id, **rest)  # type: ignore[arg-type]
    await at.deliver(*(claimed if became == "delivered" else []))
    await at.kill(*(claimed if became == "dead" else []))
    assert (await assemble.forgetting(mine, outbox).forget(NamedPerson(user_id="ann"), now=NOW)).messages == 1
    again, other = order | {"messageId": "updated"}, order | {"messageId": "new"}
    other |= {"properties": {"order_id": "8", "revenue": 5, "currency": "EUR"}}
    (same,), (updated,), (new,) = await accept(mine, outbox, order, again, other)
    assert (same.outcome, same.reason) == (Outcome.WITHHELD, "its person was erased on 15 January 2027")
    assert updated.outcome is Outcome.WITHHELD
    assert new.outcome is Outcome.ENQUEUED, "any other event is a new person's"
    told = assemble.explainer(mine, outbox=outbox)
    receipt = await told.receipt(
        Intake([order | {"timestamp": NOW}], now=NOW, is_trusted=True), assembled.shipped_catalog()
    )
    assert [each.outcome for each in receipt.events[0].deliveries] == [Outcome.WITHHELD]
    assert [event.outcome for _, event in (await outbox.message("order")).dropped_events] == [Outcome.WITHHELD]
    assert await outbox.owned((), messages=["order"]) == [], "nothing tells whose it was"


@pytest.mark.slow
@pytest.mark.parametrize("suppress", [True, False])
async def test_with_a_mark_later_events_of_the_person_are_withheld(outbox: Outbox, *, suppress: bool) -> None:
    mine = assembled.settings()
    context = PERSON | {"traits": {"email": "ann@shop.example"}}
    await accept(mine, outbox, PAGE | {"userId": "ann", "anonymousId": "x", "context": context})
    forgetting = assemble.forgetting(mine, outbox)
    told = await forgetting.forget(NamedPerson(user_id="ann"), now=NOW, suppress=suppress)
    assert any("opted out" in each for each in told.kept) == suppress
    by_id, by_address, other = (PAGE | {"userId": "ann"}, PAGE | {"context": context}, PAGE | {"userId": "bob"})
    lines = await accept(mine, outbox, by_id, by_address, other)
    expected = Outcome.WITHHELD if suppress else Outcome.ENQUEUED
    assert [line.outcome for (line,) in lines] == [expected, expected, Outcome.ENQUEUED]


async def audited(outbox: Outbox) -> list[tuple[str, str, str, str]]:
    page = await outbox.audit(limit=50)
    return [(each.who, each.what.value, each.target, each.after) for each in page.entries]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "is_erased", "is_suppressed", "outcome"),
    [
        ({}, True, False, Outcome.UNMATCHED),
        ({"regulationType": "DELETE_ONLY"}, True, False, Outcome.UNMATCHED),
        ({"regulationType": "SUPPRESS_WITH_DELETE"}, True, True, Outcome.UNMATCHED),
        ({"properties": {"regulationType": "suppress_with_delete"}}, True, True, Outcome.UNMATCHED),
        ({"regulationType": "SUPPRESS_ONLY"}, False, True, Outcome.UNMATCHED),
        ({"regulationType": "suppress"}, False, True, Outcome.UNMATCHED),
        ({"regulationType": "UNSUPPRESS"}, False, False, Outcome.REFUSED),
    ],
)
async def test_an_event_asks_for_what_its_regulation_says(
    outbox: Outbox, said: dict[str, Any], outcome: Outcome, *, is_erased: bool, is_suppressed: bool
) -> None:
    mine = assembled.settings()
    delete = {"type": "delete", "messageId": "d", "userId": "ann", **said}
    (waiting_page,), (told,) = await accept(mine, outbox, PAGE | {"messageId": "p", "userId": "ann"}, delete)
    assert (waiting_page.outcome, told.outcome) == (Outcome.ENQUEUED, outcome)
    assert ((await outbox.message("p")).deliveries == ()) is is_erased
    ((later,),) = await accept(mine, outbox, PAGE | {"userId": "ann"})
    assert later.outcome is (Outcome.WITHHELD if is_suppressed else Outcome.ENQUEUED)
    lines = [(what, target.partition("reference ")[2]) for _, what, target, _ in await audited(outbox)]
    erased, kept = ("forgot a person", "d"), ("kept a person's no", "d")
    assert lines == [erased] * is_erased + [kept] * (is_suppressed and not is_erased)


@pytest.mark.slow
async def test_a_shop_that_asks_what_is_kept_has_an_operator_answer(configured: Any, outbox: Outbox) -> None:
    asked = {"type": "delete", "event": "customers/data_request", "userId": "ann", "messageId": "asked"}
    traits = {"email": "ann@shop.example"}
    await accept(configured, outbox, IDENTIFY, PAGE | {"messageId": "p", "userId": "ann"}, asked | {"traits": traits})
    acts = assemble.forget_acts(configured, outbox, Audit(outbox, lambda: NOW), nothing)
    ((number, request),) = (await acts.access_requests()).items()
    assert (request.reference, request.named_by) == ("asked", ("user_id", "emails", "digests"))
    ((_, what, target, after),) = await audited(outbox)
    assert (what, target) == ("asked what is kept of a person", "reference asked")
    assert after == f"answer it: pinrelay person --request {number}"
    by_name = await acts.held(EVA, NamedPerson(user_id="ann", emails=("ann@shop.example",)))
    by_request = await acts.held(EVA, request)
    assert by_request == by_name | {"named_by": ["user_id", "emails", "digests"]}
    assert [each["message_id"] for each in by_request["deliveries"]] == ["p"]
    assert (await outbox.message("p")).deliveries != (), "nothing is erased"
    done = await acts.forget(EVA, NamedPerson(user_id="ann"))
    assert done.erased["requests of access"] == 1
    assert await acts.access_requests() == {}


@pytest.mark.slow
async def test_who_asks_is_told_of_answers_and_erasures(configured: Any, outbox: Outbox) -> None:
    acts = assemble.forget_acts(configured, outbox, Audit(outbox, lambda: NOW), nothing)
    ann = NamedPerson(user_id="ann")
    await accept(configured, outbox, *(PAGE | {"userId": name} for name in ("ann", "bob")))
    await acts.forget(EVA, ann, reference="T-1", suppress=True)
    await acts.forget(EVA, NamedPerson(user_id="bob"), reference="T-2")
    await acts.forget(EVA, ann, reference="T-3")
    told = await acts.held(EVA, ann)
    at = "2027-01-15T08:00:00Z"
    assert {(each["is_opt_out"], each["source"], each["at"]) for each in told["answers"]} == {(True, "erasure", at)}
    assert [(each["reference"], each["named_by"], each["at"]) for each in told["erasures"]] == [
        ("T-1", ["user_id"], at)
    ]
    assert [target for _, _, target, _ in await audited(outbox)][1] == "reference T-3", "nothing is left to erase"
    assert all("found_by" not in each for each in told["erasures"])
    assert (await acts.held(EVA, NamedPerson(user_id="eve")))["erasures"] == []


async def test_a_no_that_a_yes_lifts_is_in_the_audit_log_by_both_its_ends(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forget, "_MAX_LIFTED_LINES", 2)
    mine = assembled.settings()
    for turn in range(4):
        said = [{"userId": "ann", "anonymousId": "x", "properties": {"opt_out": no}} for no in (True, False)]
        no, yes = (PAGE | each for each in said)
        times = ({"timestamp": NOW - 10 + 2 * turn + later} for later in range(2))
        await accept(mine, outbox, no | next(times), yes | next(times), is_trusted=False)
    keys = IdKeys(await assemble.forgetting(mine, outbox).secret())
    user, browser = (str(key)[:16] for key in (keys.user("ann"), keys.anonymous("x")))
    lines = await audited(outbox)
    assert {(what, after) for _, what, _, after in lines} == {("lifted an opt-out", "yes")}
    assert [sorted(target.split(", ")) for _, _, target, _ in lines] == [
        sorted([f"{user} by {browser}", f"{browser} by {browser}"])
    ] * 2


@pytest.mark.slow
async def test_a_yes_ends_with_an_erasure(outbox: Outbox) -> None:
    mine = assembled.settings(consent_required=True)
    yes = {"context": PERSON | {"consent": {}}, "properties": {"opt_out": False}}
    pages = [PAGE | {"userId": "ann", "anonymousId": "x"} | each for each in (yes, {})]
    lines = await accept(mine, outbox, *pages)
    assert [line.outcome for (line,) in lines] == [Outcome.ENQUEUED] * 2
    acts = assemble.forget_acts(mine, outbox, Audit(outbox, lambda: NOW), nothing)
    done = await acts.forget(EVA, NamedPerson(user_id="ann"))
    assert done.erased["answers"] == 2
    ((line,),) = await accept(mine, outbox, PAGE | {"userId": "ann"})
    assert line.outcome is Outcome.WITHHELD


@pytest.mark.slow
@pytest.mark.parametrize("with_memory", [False, True])
async def test_people_who_are_erased_at_once_are_erased_as_one_after_the_other(
    tmp_path: Path, *, with_memory: bool
) -> None:
    """Each has a certificate of their own; what they share is told of, and others keep what is theirs."""
    people = [
        NamedPerson(user_id="u0"),
        NamedPerson(emails=("u1@shop.example",)),
        NamedPerson(anonymous_id="x2"),
        NamedPerson(order_ids=("o3",)),
        NamedPerson(user_id="u4", emails=("u4@shop.example",)),
        NamedPerson(user_id="nobody"),
    ]
    told, left = [], []
    for at_once in (True, False):
        mine = assembled.settings(
            outbox_url=new_store(tmp_path, f"{at_once}.db"),
            retention_days="payload:1",
            **(SETTINGS if with_memory else {}),
        )
        outbox = open_outbox(mine.outbox_url, mine, clock=lambda: NOW)
        events = []
        for number in range(12):
            context = PERSON | {"traits": {"email": f"u{number}@shop.example"}}
            order = {"order_id": f"o{number}", "revenue": 10, "currency": "EUR"}
            event = {"type": "track", "event": "Order Completed", "properties": order, "context": context}
            events.append(event | {"userId": f"u{number}", "anonymousId": f"x{number}", "messageId": f"m{number}"})
            events.append(PAGE | {"anonymousId": f"x{number}", "messageId": f"p{number}"})
        await accept(mine, outbox, *events)
        forgetting = assemble.forgetting(mine, outbox)
        if at_once:
            done = await forgetting.forget_all(people, now=NOW, on_found=[None] * len(people))
        else:
            done = [await forgetting.forget(each, now=NOW) for each in people]
        told.append([(each.ids, each.messages, each.erased) for each in done])
        left.append(await waiting(outbox))
        again = await forgetting.forget_all(people, now=NOW, on_found=[None] * len(people))
        assert [(each.ids, each.erased) for each in again] == [(0, {})] * len(people)
        await outbox.close()
    assert told[0] == told[1]
    assert left[0] == left[1]
    assert sum(messages > 0 for _, messages, _ in told[0]) == 5
