"""Events as real sources send them, each a file: the whole event, and the whole Pinterest event that is made of it.

`event` is what the webhook gets; `request` is what an SDK posts to the Tracking API: its path, the address it comes
`from`, headers, body. `hashed` holds what is hashed of a person in its readable form, `plain` the rest of `user_data`.

The requests are written as the SDKs' sources on GitHub make them: segmentio/analytics-kotlin 1.24, -swift 1.9,
-react-native 2.21, -go 3.0, -php 3.8, -ruby 2.5, -java 3.5, -python 2.3, -next 1.84; rudderlabs/rudder-sdk-android.
"""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from app.catalog import Catalog
from app.source import read_raw_event
from tests.assembled import pipeline
from tests.rows import every_row
from tests.source import door

CASES = {file.stem: orjson.loads(file.read_bytes()) for file in (Path(__file__).parent / "shapes").glob("*.json")}
#: When the events of the webhook arrive; requests of SDKs arrive at `door.NOW`.
NOW = datetime.fromisoformat("2026-11-25T10:15:05+00:00").timestamp()


async def received(case: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Return the event of a case as its door hands it on, and when it came."""
    if "event" in case:
        return read_raw_event(orjson.dumps(case["event"]), now=NOW), NOW
    request, ledger = case["request"], door.Ledger()
    async with door.client(door.tracking(ledger), peer=request["from"]) as http:
        answer = await http.post(request["path"], headers=request["headers"], content=orjson.dumps(request["body"]))
    assert answer.status_code == 200
    (event,) = ledger.kept
    return event, door.NOW


@every_row("case", sorted(CASES))
async def test_an_event_of_this_shape_gives_this_pinterest_event(case: str, all_on: Catalog) -> None:
    expected = CASES[case]
    event, now = await received(expected)

    (line,) = pipeline(all_on).preview(event, now=now)

    digests = {
        name: [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        for name, texts in expected["hashed"].items()
    }
    assert line.event == {**expected["sent"], "user_data": digests | expected["plain"]}
    assert list(line.warnings) == expected["warnings"]


@every_row(
    "source",
    [
        *["segment-ecommerce", "segment-mobile", "segment-b2b", "segment-webhook", "segment-browser"],
        *["segment-kotlin", "segment-swift", "segment-react-native", "segment-go", "segment-php", "segment-ruby"],
        *["segment-java", "segment-python", "rudderstack", "ga4", "shopify", "woocommerce", "reverse-etl"],
    ],
)
def test_there_is_a_case_of_every_kind_of_source(source: str) -> None:
    assert [case for case in CASES if case.startswith(f"{source}-")]
