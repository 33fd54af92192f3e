"""What senders were told can be told again from the ledger."""

from app.errors import EventRefused
from app.receiving.receipts import Drafts, receipt_of_message
from app.types import Exit, Line, Message, Note
from tests.outbox.build import NOW


def note(exit_: Exit, reason: str, **members: str) -> Note:
    return Note(message_id="m", preset=members.get("preset"), exit=exit_, reason=reason)


def test_each_arrival_of_a_message_is_a_line_oldest_first() -> None:
    notes = (
        (NOW + 2, note(Exit.DUPLICATE, "the same event_id was enqueued before, as delivery 1", preset="Lead")),
        (NOW, note(Exit.WITHHELD, "consent: category ads is not granted")),
    )
    receipt = receipt_of_message(Message(message_id="m", notes=notes, deliveries=()))
    assert receipt.message_id == "m"
    assert receipt.deliveries == (
        Line(preset=None, exit=Exit.WITHHELD, reason="consent: category ads is not granted"),
        Line(preset="Lead", exit=Exit.DUPLICATE, reason="the same event_id was enqueued before, as delivery 1"),
    )


def test_of_a_message_that_nothing_is_known_of_there_is_no_line() -> None:
    assert receipt_of_message(Message(message_id="m", notes=(), deliveries=())).deliveries == ()


def test_of_refused_events_without_an_id_one_note_says_it_of_all_and_each_is_counted() -> None:
    drafts = Drafts()
    for message_id in (None, None, "m-1", "m-1", None):
        drafts.refuse(EventRefused("no type", message_id=message_id))
    drafts.refuse(EventRefused("no object"))

    assert [(note.message_id, note.reason) for note in drafts.notes] == [
        ("", "no type"),
        ("m-1", "no type"),
        ("m-1", "no type"),
        ("", "no object"),
    ]
    assert [tally.count for tally in drafts.tallies() if tally.name == "refused"] == [6]


def test_of_invalid_events_whose_id_we_made_one_note_says_it_of_all() -> None:
    drafts = Drafts()
    line = Line(preset="Page Visit", exit=Exit.INVALID, reason="no user")
    for message_id, is_made in (("x", True), ("y", True), ("m-1", False), ("m-2", False)):
        drafts.add(message_id, [line], is_made=is_made)

    assert [note.message_id for note in drafts.notes] == ["x", "m-1", "m-2"]
    assert len(drafts.events) == 4
