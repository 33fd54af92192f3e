"""What is written into the audit log."""

import hypothesis
from hypothesis import strategies as st

from app.access.audit import MAX_AUDITED_TEXT, Audit, conditions_text
from app.access.users import Person, UserRole
from app.core.pages import AuditAction, AuditEntry
from app.outbox import Outbox

NOW = 1_795_000_000.0
ADA = Person(name="ada", role=UserRole.OPERATOR, place="192.0.2.7")


async def test_a_line_says_who_did_what_from_where_to_which_target_and_how_it_was_before_and_after(
    store: Outbox,
) -> None:
    await Audit(store, lambda: NOW).note(ADA, AuditAction.SWITCH, target="Lead", before="on", after="off")
    assert (await store.audit(limit=2)).entries == (
        AuditEntry(
            at=NOW, who="ada", place="192.0.2.7", what=AuditAction.SWITCH, target="Lead", before="on", after="off"
        ),
    )


async def test_long_texts_are_cut(store: Outbox) -> None:
    await Audit(store, lambda: NOW).note(ADA, AuditAction.REDRIVE, target="x" * 10_000)
    (entry,) = (await store.audit(limit=2)).entries
    assert entry.target == "x" * (MAX_AUDITED_TEXT - 1) + "…"


def test_conditions_are_written_in_words() -> None:
    given = {"name": "Lead", "currency": "", "is_order": True, "since": 0.0, "event_id": "e-1"}
    told = ["event Lead", "currency none", "is order yes", "since 0.0", "event id e-1"]
    assert conditions_text(given, {"name": "event"}) == told


@hypothesis.given(
    st.sampled_from(["message_id", "event_id", "reason", "preset"]), st.sampled_from(["", "order of ", "x-"])
)
def test_no_address_that_is_looked_for_is_written_down(field: str, before: str) -> None:
    assert "jane@example.com" not in "".join(conditions_text({field: f"{before}jane@example.com"}, {}))
