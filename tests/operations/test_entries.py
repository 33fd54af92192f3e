"""What a redrive leaves in the audit log where not all dead letters could be redriven."""

from pathlib import Path

from app import assemble
from app.access.audit import Audit
from app.core.pages import Redrive
from app.core.values.times import DAY_S
from app.operations.acts import DeadLetterActs, dead_query
from app.outbox import open_outbox
from tests import assembled
from tests.access.test_audit import ADA
from tests.outbox.build import NOW, At, new, rules
from tests.outbox.new_store import new_store


async def test_what_was_not_redriven_is_noted_with_its_reason(tmp_path: Path) -> None:
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    at = At(outbox)
    await at.dead_letter(new(event_id="waits"))
    await at.enqueue(new(event_id="waits"))
    await at.dead_letter(new(event_id="free"))
    audit = Audit(outbox, lambda: NOW + 1)
    acts = DeadLetterActs(outbox, assemble.event_finder(assembled.settings(), outbox), audit, max_event_age_s=7 * DAY_S)
    done = await acts.redrive(ADA, dead_query({}))
    (entry,) = (await outbox.audit(limit=9)).entries
    await outbox.close()
    assert done == Redrive(redriven=1, overtaken=0, waiting=1)
    assert (entry.target, entry.before) == ("all dead letters", "dead")
    assert entry.after == "1 pending, 1 dead: others wait"
