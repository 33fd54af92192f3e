"""The sources that come with Pinrelay: each file of `cases/` is a whole request, signed as its sender signs, and all
that is sent to Pinterest of it, or why nothing is.

Payloads are written as the senders' public documentation shows them; each source's file names it. `cases/README.md` has
the origin of the recorded ones.
"""

import copy
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests import assembled
from tests.process import ROOT
from tests.rows import every_row
from tests.sources.sending import NOW, Heard, content_of, post, sent_by, served, served_once, shipped, told_of

CASES = {
    file.stem: orjson.loads(file.read_bytes()) for file in sorted((Path(__file__).parent / "cases").glob("*.json"))
}
SOURCES = sorted(file.stem for file in (ROOT / "sources").glob("*.yaml"))
PREVIEWS = assembled.pipeline(sources_dir=(ROOT / "sources",))
every_case = every_row("name", CASES)


@pytest.mark.slow
@every_case
async def test_a_request_of_this_source_gives_these_pinterest_events(name: str) -> None:
    case = CASES[name]
    assert await sent_by(case) == (case["status"], case["told"])


@every_case
@every_row("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_preview_of_the_request_tells_the_same_without_the_secret(name: str, pack: Callable[[bytes], bytes]) -> None:
    case = CASES[name]
    body = pack(content_of(case["request"]))
    found = PREVIEWS.preview_request(case["source"], body, case["request"]["headers"], now=NOW)
    assert told_of(found) == case["told"]


@pytest.mark.slow
@every_case
async def test_the_same_request_is_refused_with_another_secret(name: str) -> None:
    case = copy.deepcopy(CASES[name])
    ((variable, secret),) = case["secrets"].items()
    case["secrets"] = {variable: secret[:-1] + "x"}
    assert await sent_by(case) == (401, [])


@pytest.mark.slow
@every_case
async def test_a_proof_that_is_left_out_is_refused(name: str) -> None:
    case = CASES[name]
    proof = {"x-shopify-hmac-sha256", "x-wc-webhook-signature", "stripe-signature", "x-signature-256"}
    proof |= {"x-pinrelay-key", "authorization"}
    headers = {key: value for key, value in case["request"]["headers"].items() if key.lower() not in proof}
    assert len(headers) == len(case["request"]["headers"]) - ("query" not in case["request"])
    app, _ = served_once(case)
    request = case["request"] | {"headers": headers, "query": ""}
    assert (await post(app, case["source"], request)).status_code == 401


def test_the_table_names_the_origin_of_each_recorded_case() -> None:
    table = (Path(__file__).parent / "cases/README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(name.strip("`") for name, *_ in rows) == sorted(name for name in CASES if "-recorded-" in name)
    assert all(origin and judgement for _, origin, judgement in rows)


@every_row("source", SOURCES)
def test_every_source_has_a_case_whose_event_is_sent(source: str) -> None:
    told = [each for case in CASES.values() if case["source"] == source for each in case["told"]]
    assert any(each["outcome"] == "enqueued" for each in told)


@pytest.mark.slow
async def test_what_is_sent_twice_has_one_message_id() -> None:
    """De-duplication is by message id: none of a shop's may be made anew when the shop sends again."""
    for case in CASES.values():
        app, heard = served_once(case)
        for _ in range(2):
            await post(app, case["source"], case["request"])
        first, second = _ids(heard.events[: len(heard.events) // 2]), _ids(heard.events[len(heard.events) // 2 :])
        assert first == second
        assert "made" not in first


def _ids(events: list[Any]) -> list[Any]:
    return [event["messageId"] for event in events if isinstance(event, dict)]


async def test_woocommerce_may_try_the_address_unsigned_and_nothing_comes_of_it() -> None:
    heard = Heard()
    app = served(heard, shipped(["woocommerce"], {"WOOCOMMERCE_WEBHOOK_SECRET": "0123456789abcdef"}))
    form = {"content-type": "application/x-www-form-urlencoded"}
    asked = [("webhook_id=11", 200), ("webhook_id=11" + "&a" * 100, 401), ("something=else", 401)]
    for body, status in asked:
        assert (await post(app, "woocommerce", {"headers": form, "form": body})).status_code == status
    assert heard.sources == []
