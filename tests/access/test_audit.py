"""What is written into the audit log."""

from hypothesis import given
from hypothesis import strategies as st

from app.access.audit import MAX_AUDITED_TEXT, Audit
from app.access.users import Person, UserRole
from app.core.events import Exit
from app.core.pages import AuditAction, AuditEntry, QuarantineFilter, Query, Redrive

NOW = 1_795_000_000.0
ADA = Person(name="ada", role=UserRole.OPERATOR, place="192.0.2.7")


class Log:
    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    async def write_audit(self, entry: AuditEntry) -> None:
        self.entries.append(entry)


async def test_a_line_says_who_did_what_from_where_to_which_target_and_how_it_was_before_and_after() -> None:
    log = Log()
    await Audit(log, lambda: NOW).note(ADA, AuditAction.SWITCH, target="Lead", before="on", after="off")
    assert log.entries == [
        AuditEntry(
            at=NOW, who="ada", place="192.0.2.7", what=AuditAction.SWITCH, target="Lead", before="on", after="off"
        )
    ]


async def test_long_texts_are_cut() -> None:
    log = Log()
    await Audit(log, lambda: NOW).note(ADA, AuditAction.REDRIVE, target="x" * 10_000)
    assert log.entries[0].target == "x" * (MAX_AUDITED_TEXT - 1) + "…"


async def redriven(query: Query) -> str:
    """What is written down as the target of a redrive."""
    log = Log()
    await Audit(log, lambda: NOW).note_redrive(ADA, query, Redrive(redriven=3))
    (entry,) = log.entries
    assert (entry.what, entry.before, entry.after) == (AuditAction.REDRIVE, "dead", "3 pending")
    return entry.target


async def test_a_query_is_described_by_what_it_asks_for() -> None:
    assert await redriven(Query(preset="Lead", reason="currency")) == "preset Lead, reason currency"
    assert await redriven(Query(currency="", is_order=True, since=0.0)) == "currency none, is order yes, since 0.0"
    assert await redriven(Query(delivery_id="7")) == "delivery 7"
    assert await redriven(Query()) == "all dead letters"


@given(st.sampled_from(["message_id", "event_id", "reason", "preset"]), st.sampled_from(["", "order of ", "x-"]))
async def test_no_address_that_is_looked_for_is_written_down(field: str, before: str) -> None:
    query = Query(**{field: f"{before}jane@example.com"})  # type: ignore[arg-type] # none of them is the state
    assert "jane@example.com" not in await redriven(query)


async def discarded(wanted: QuarantineFilter) -> str:
    """What is written down as the target of what is discarded from the quarantine."""
    log = Log()
    await Audit(log, lambda: NOW).note_quarantine(ADA, AuditAction.DISCARD, wanted, 3)
    (entry,) = log.entries
    assert (entry.what, entry.before, entry.after) == (AuditAction.DISCARD, "", "3 events")
    return entry.target


async def test_a_filter_of_the_quarantine_is_described_by_what_it_names() -> None:
    wanted = QuarantineFilter(source="shop", name="Lead", exit=Exit.INVALID, reason="no id")
    assert await discarded(wanted) == "source shop, event Lead, exit invalid, reason no id"
    assert await discarded(QuarantineFilter()) == "all of it"


@given(st.sampled_from(["source", "name", "reason"]), st.sampled_from(["", "order of ", "x-"]))
async def test_no_address_by_which_the_quarantine_is_filtered_is_written_down(field: str, before: str) -> None:
    wanted = QuarantineFilter(**{field: f"{before}jane@example.com"})  # type: ignore[arg-type] # none is the exit
    assert "jane@example.com" not in await discarded(wanted)
