"""What senders were told can be told again from the ledger."""

from app.core.deliveries import Enqueued, KnownOrder, NewDelivery
from app.core.events import CounterRow, DroppedEvent, Outcome
from app.core.pages import Message
from app.core.people import Recalled
from app.core.receipts import PresetResult
from app.errors import EventRefused
from app.pipeline.receipts import BACKLOG_FULL, IntakeBatch, receipt_of_message
from app.source import Intake
from tests.outbox.build import NOW, new


def note(outcome: Outcome, reason: str, **members: str) -> DroppedEvent:
    preset, account = members.get("preset"), members.get("ad_account_id")
    return DroppedEvent(message_id="m", ad_account_id=account, preset=preset, outcome=outcome, reason=reason)


def test_each_arrival_of_a_message_is_a_line_oldest_first() -> None:
    dropped = (
        (NOW + 2, note(Outcome.DUPLICATE, "repeated", preset="Lead", ad_account_id="1")),
        (NOW + 3, note(Outcome.INVALID, "no user", preset="Lead", ad_account_id="2")),
        (NOW, note(Outcome.WITHHELD, "consent: category ads is not granted")),
    )
    receipt = receipt_of_message(Message(message_id="m", dropped_events=dropped, deliveries=()), {"1": "US"})
    assert receipt.message_id == "m"
    assert receipt.deliveries == (
        PresetResult(preset=None, outcome=Outcome.WITHHELD, reason="consent: category ads is not granted"),
        PresetResult(preset="Lead", destination="US", ad_account_id="1", outcome=Outcome.DUPLICATE, reason="repeated"),
        PresetResult(preset="Lead", ad_account_id="2", outcome=Outcome.INVALID, reason="no user"),
    )


def test_of_a_message_that_nothing_is_known_of_there_is_no_line() -> None:
    assert receipt_of_message(Message(message_id="m", dropped_events=(), deliveries=()), {}).deliveries == ()


def test_of_refused_events_without_an_id_one_note_says_it_of_all_and_each_is_counted() -> None:
    drafts = IntakeBatch(Intake([], NOW))
    for message_id in (None, None, "m-1", "m-1", None):
        drafts.refuse(EventRefused("no type", message_id=message_id))
    drafts.refuse(EventRefused("no object"))

    assert [(note.message_id, note.reason) for note in drafts.dropped] == [
        ("", "no type"),
        ("m-1", "no type"),
        ("m-1", "no type"),
        ("", "no object"),
    ]
    assert [counter.count for counter in drafts.counters() if counter.name == "refused"] == [6]


def test_of_invalid_events_whose_id_we_made_one_note_says_it_of_all() -> None:
    drafts = IntakeBatch(Intake([], NOW))
    line = PresetResult(preset="Page Visit", outcome=Outcome.INVALID, reason="no user")
    for message_id, is_made in (("x", True), ("y", True), ("m-1", False), ("m-2", False)):
        drafts.add(message_id, [line], is_made=is_made)

    assert [note.message_id for note in drafts.dropped] == ["x", "m-1", "m-2"]
    assert len(drafts.events) == 4


def test_what_is_noted_and_counted_names_the_ad_account_and_the_source() -> None:
    drafts = IntakeBatch(Intake([], NOW, source="shop"))
    lines = [
        PresetResult(preset="Lead", destination=name, ad_account_id=account, outcome=Outcome.INVALID, reason="no user")
        for name, account in (("US", "1"), ("DE", "2"))
    ]
    drafts.add("m-1", lines)
    drafts.add("m-2", [PresetResult(preset=None, outcome=Outcome.WITHHELD, reason="consent")])

    noted = [(note.message_id, note.ad_account_id, note.preset, note.source) for note in drafts.dropped]
    assert noted == [("m-1", "1", "Lead", "shop"), ("m-1", "2", "Lead", "shop"), ("m-2", None, None, "shop")]
    assert {counter for counter in drafts.counters() if counter.name in ("invalid", "withheld", "accepted")} == {
        CounterRow(name="invalid", preset="Lead", label="no user", ad_account_id="1", source="shop"),
        CounterRow(name="invalid", preset="Lead", label="no user", ad_account_id="2", source="shop"),
        CounterRow(name="withheld", label="consent", source="shop"),
        CounterRow(name="accepted", source="shop", count=2),
    }


def _delivery(message_id: str, account: str, **changes: str) -> NewDelivery:
    return new(message_id=message_id, ad_account_id=account, preset="Lead", amount="25", currency="EUR", **changes)


def test_without_the_full_ad_accounts_the_rest_stays_as_it_was_and_their_part_is_withheld() -> None:
    drafts = IntakeBatch(Intake([], NOW, source="shop", is_trusted=True), memory_is_full=True)
    recalled = {"em": Recalled(age_s=5, by="identify")}
    lines = [
        PresetResult(
            preset="Lead",
            destination=name,
            ad_account_id=account,
            outcome=Outcome.ENQUEUED,
            warnings=("w",),
            memory=recalled,
        )
        for name, account in (("US", "1"), ("FR", "2"))
    ]
    drafts.add("m-1", lines)
    drafts.add(
        "m-2",
        [PresetResult(preset="Lead", destination="FR", ad_account_id="2", outcome=Outcome.INVALID, reason="no user")],
    )
    drafts.add("m-3", lines[:1])
    drafts.deliveries += [_delivery(*of, order_id="SO-1") for of in (("m-1", "1"), ("m-1", "2"), ("m-3", "1"))]

    rest = drafts.without({"1": "5 wait, of 5"})

    assert rest is not None
    assert [each.ad_account_id for each in rest.deliveries] == ["2"]
    told = [[(line.ad_account_id, line.outcome, line.reason) for line in each.deliveries] for each in rest.events]
    assert told == [
        [("1", Outcome.WITHHELD, BACKLOG_FULL), ("2", Outcome.ENQUEUED, "")],
        [("2", Outcome.INVALID, "no user")],
        [("1", Outcome.WITHHELD, BACKLOG_FULL)],
    ]
    assert rest.events[0].deliveries[1].memory == recalled
    assert [(note.message_id, note.outcome) for note in rest.dropped] == [
        ("m-1", Outcome.WITHHELD),
        ("m-2", Outcome.INVALID),
        ("m-3", Outcome.WITHHELD),
    ]
    assert [(note.order_id, note.amount, note.currency) for note in rest.dropped[::2]] == [("SO-1", "25", "EUR")] * 2
    before, after = ({counter for counter in each.counters() if counter.name == "memory"} for each in (drafts, rest))
    assert before == after
    assert rest.receipt([Enqueued(outcome=Outcome.ENQUEUED)]).counts[Outcome.WITHHELD] == 2


def test_without_the_full_ad_accounts_one_note_still_says_it_of_all_whose_id_we_made() -> None:
    drafts = IntakeBatch(Intake([], NOW))
    full = PresetResult(preset="Lead", ad_account_id="1", outcome=Outcome.ENQUEUED)
    invalid = PresetResult(preset="Lead", ad_account_id="2", outcome=Outcome.INVALID, reason="no user")
    for message_id, is_made in (("x", True), ("y", True), ("m-1", False)):
        drafts.add(message_id, [full, invalid], is_made=is_made)
        drafts.deliveries.append(_delivery(message_id, "1"))
    drafts.add("m-2", [PresetResult(preset="Lead", ad_account_id="3", outcome=Outcome.ENQUEUED)])
    drafts.deliveries.append(_delivery("m-2", "3"))

    rest = drafts.without({"1": "5 wait, of 5"})

    assert rest is not None
    assert [(note.message_id, note.outcome) for note in rest.dropped] == [
        ("x", Outcome.WITHHELD),
        ("x", Outcome.INVALID),
        ("m-1", Outcome.WITHHELD),
        ("m-1", Outcome.INVALID),
    ]


def test_where_nothing_would_be_left_whoever_sent_it_comes_again() -> None:
    drafts = IntakeBatch(Intake([], NOW))
    drafts.add("m-1", [PresetResult(preset="Lead", ad_account_id="1", outcome=Outcome.ENQUEUED)])
    drafts.deliveries.append(_delivery("m-1", "1"))
    assert drafts.without({"1": "5 wait, of 5"}) is None


def test_without_the_full_ad_accounts_the_orders_of_all_others_are_known_as_before() -> None:
    drafts, order = (
        IntakeBatch(Intake([], NOW)),
        KnownOrder(event_name=None, order_id="SO-2", amount="7", currency="EUR"),
    )
    invalid = PresetResult(preset="Lead", ad_account_id="2", outcome=Outcome.INVALID, reason="no user", order=order)
    drafts.add(
        "m-1", [PresetResult(preset="Lead", ad_account_id=account, outcome=Outcome.ENQUEUED) for account in "12"]
    )
    drafts.deliveries += [_delivery("m-1", "1"), _delivery("m-1", "2")]
    drafts.add("m-2", [invalid, PresetResult(preset=None, outcome=Outcome.UNMATCHED, order=order)])
    drafts.refuse(EventRefused("no type", message_id="m-3"), order=order)

    once = drafts.without({"1": "5 wait, of 5"})
    rest = once and once.without({"3": "5 wait, of 5"})

    assert rest is not None
    assert [(note.message_id, note.outcome) for note in rest.dropped] == [
        ("m-1", Outcome.WITHHELD),
        ("m-2", Outcome.INVALID),
        ("m-2", Outcome.UNMATCHED),
        ("m-3", Outcome.REFUSED),
    ]
    assert rest.dropped[1:] == drafts.dropped
    assert not any(line.order for event in rest.events for line in event.deliveries)
