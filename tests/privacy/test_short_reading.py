"""An answer is read off the finished event where there is one, and is the one that the mapping finds."""

from itertools import combinations, product
from typing import Any, Final

import pytest

from app.catalog import Catalog
from app.core.consent import Kind
from app.core.events import Event
from app.core.people import Ownership
from app.pipeline.consent import Consents
from app.pipeline.identity_events import IdentityEventReader
from app.pipeline.receipts import IntakeBatch
from app.source import Arrival, Intake, read_event
from tests import assembled
from tests.rows import every_row

NOW: Final = 1_793_700_000.0
ABSENT: Final = object()
#: Every pair of answers of an event, of all that say, deny or leave it open.
PLACES: Final[dict[str, tuple[Any, ...]]] = {
    "properties.opt_out": (ABSENT, True, False, "true", "no", 7),
    "context.optOut": (ABSENT, True, False),
    "device.adTrackingEnabled": (ABSENT, True, False, "false", None),
    "device.attTrackingStatus": (ABSENT, 3, 2, 0),
    "device.trackingStatus": (ABSENT, "authorized", "notDetermined"),
    "context.gpc": (ABSENT, True, False),
}


def _event(answers: dict[str, Any], name: str) -> Event:
    context: dict[str, Any] = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0", "traits": {"email": "ada@example.com"}}
    event: dict[str, Any] = {"type": "track", "event": name, "messageId": "m1", "timestamp": NOW, "userId": "ada"}
    event["properties"] = {"phone": "+1 415 555 1234", "total": 20, "currency": "USD"}
    event["context"] = context
    places = {
        "properties": event["properties"],
        "context": context,
        "device": context.setdefault("device", {"id": "d"}),
    }
    for place, value in answers.items():
        where, _, member = place.partition(".")
        if value is not ABSENT:
            places[where][member] = value
    return read_event(event, Arrival.at(NOW))


def _long(reader: IdentityEventReader, event: Event, catalog: Catalog) -> tuple[bool, bool, Kind | None, list[str]]:
    seen = reader(event, catalog, now=NOW, is_trusted=True)[0]
    kind: Kind | None = None
    if seen.is_opt_out:
        permissions = frozenset({"attTrackingStatus", "trackingStatus", "adTrackingEnabled"})
        kind = "opt_out" if reader._said_without(permissions, event, catalog) is False else "device"
    return seen.is_opt_out, seen.is_opt_in, kind, [*seen.found.get("em", ()), *seen.found.get("ph", ())]


@pytest.mark.slow
@every_row("name", ["Order Completed", "Nothing of ours"])
@every_row("gpc", ["opt_out", "ldp", "ignore"])
def test_the_short_way_reads_what_the_long_one_does(name: str, gpc: str) -> None:
    pipeline, catalog = assembled.pipeline(gpc=gpc, consent_required=True), assembled.shipped_catalog()
    as_said = assembled.pipeline(gpc=gpc)._router.consents
    router = pipeline._router
    consents, reader = router.consents, router.reader
    assert isinstance(consents, Consents)
    assert isinstance(as_said, Consents)
    assert reader is not None
    intake = Intake([], now=NOW, is_trusted=True)
    somebody = Ownership(message_id="m", user="somebody", anonymous=None)
    for first, second in combinations(PLACES, 2):
        for one, other in product(PLACES[first], PLACES[second]):
            event = _event({first: one, second: other}, name)
            lines = pipeline.preview(event, now=NOW)
            read = consents._read(event, catalog.matching(event), lines, catalog, intake)
            is_opt_out, is_opt_in, kind, contacts = _long(reader, event, catalog)
            found = [*read.found.get("em", ()), *read.found.get("ph", ())]
            assert (read.is_opt_out, read.is_opt_in and not read.is_opt_out) == (is_opt_out, is_opt_in), event
            assert set(found) == set(contacts), event
            assert read.user is not None
            if is_opt_out:
                assert reader.kind_of_no(event, catalog) == kind, event
            drafts = IntakeBatch(intake)
            consents.note(event, catalog.matching(event), lines, None, catalog, drafts, places=range(0), memory=None)
            told = [answer for each in drafts.answered for answer in each.said]
            assert {answer.is_opt_out for answer in told} == ({is_opt_out} if is_opt_out or is_opt_in else set()), event
            asked = (event, catalog.matching(event), lines, None, IntakeBatch(intake))
            assert consents.may_count(*asked, owner=somebody) or not told, event
            assert as_said.may_count(*asked, owner=somebody) or kind in {None, "device"}, event
