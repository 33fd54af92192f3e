"""Writes docs/odd-events.md: what becomes of events as real sources send them, by the presets as they are shipped.

    python -m tests.presets.odd_events

The cases stand in odd_events.yaml. Each is read and explained as `pinrelay preview` does it; those with a `request`
come through the Tracking API, and those with something `earlier` are held against an outbox that has it.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson

from app import assemble
from app.catalog.fields import merge_mappings
from app.catalog.yaml_files import parse_yaml
from app.core.events import Event, Outcome
from app.core.receipts import PresetResult
from app.outbox import Outbox, open_outbox
from app.source import Intake
from app.source.event_files import read_event_file
from tests import assembled
from tests.outbox.new_store import new_store
from tests.process import ROOT
from tests.source import door

PAGE = ROOT / "docs/odd-events.md"
TABLE: Any = parse_yaml((Path(__file__).parent / "odd_events.yaml").read_text(encoding="utf-8"))
SHAPES = sorted((Path(__file__).parent / "shapes").glob("*.json"))
NOW = datetime.fromisoformat(TABLE["clock"]).timestamp()
DIGESTS = {hashlib.sha256(text.encode()).hexdigest(): text for text in TABLE["hashed"]}
LIVE: dict[str, Any] = {"pinterest_ad_account_id": "549755885175", "pinterest_conversion_token": "token"}
RULES: list[dict[str, Any]] = [rule for part in TABLE["parts"] for rule in part["rules"]]

_HEAD = """# What becomes of odd events

What Pinrelay sends for unusual events: guests without an address, unreadable amounts, templates that were not
filled in, refunds, tests and gifts, with the shipped presets and the default settings, and with Pinterest live. A
program (`make odd-events`) sends each event through `pinrelay preview` and writes this page; a test compares the two.

Each event is the plain order below, changed as its row says. *Becomes* shows the differences from the plain order, or
why nothing is sent. *SHA-256 of x* is the digest that Pinterest gets.
"""
_SHAPES = """## Whole events of real sources

One file for each SDK, shop, GA4 and warehouse holds its event, the complete Pinterest event and every warning:
"""
_TESTS = """## Rules and their tests

Each rule applies to all events of its kind; the rows above are examples. These tests prove it.

| rule | in short | tested by |
|---|---|---|
"""


async def page() -> str:
    """Return the page as it should be."""
    plain = await line_of({})
    assert plain.event
    text = [_HEAD, _block(TABLE["plain"]), "It is sent as\n", _block(plain.event)]
    for part in TABLE["parts"]:
        text.append(f"## {part['title']}\n")
        for rule in part["rules"]:
            text.append(f"**{rule['number']}. {rule['rule']}**\n")
            rows = [_row(case, await line_of(case), plain.event) for case in rule["events"]]
            head = ["| what | the event says | becomes | warnings |", "|---|---|---|---|"]
            text.append("\n".join([*head, *rows]) + "\n")
    text.append(_SHAPES + ", ".join(f"[{file.stem}](../{file.relative_to(ROOT)})" for file in SHAPES) + ".\n")
    proofs = (f"| {rule['number']} | {rule['rule']} | {_tests(rule['tests'])} |\n" for rule in RULES)
    return "\n".join(text) + "\n" + _TESTS + "".join(proofs)


async def line_of(case: Mapping[str, Any]) -> PresetResult:
    """Return what a case's event becomes, by the one preset that takes it."""
    live = {} if case.get("sandbox") else LIVE
    settings = assembled.settings(**live, **case.get("settings", {}))
    event = await _received(case)
    with tempfile.TemporaryDirectory() as folder:
        outbox = open_outbox(new_store(Path(folder), "outbox.db"), settings, clock=lambda: NOW)
        try:
            await _remember(case.get("earlier", ()), outbox)
            explainer = assemble.explainer(settings, outbox=outbox)
            report = await explainer.explain(event, assembled.shipped_catalog(), now=NOW)
        finally:
            await outbox.close()
    (line,) = report.receipt.deliveries
    return line


async def _remember(earlier: Iterable[Mapping[str, Any]], outbox: Outbox) -> None:
    """Put into the outbox what came before."""
    pipeline = assembled.pipeline(outbox=outbox, **LIVE)
    for case in earlier:
        intake = Intake([await _received(case)], now=NOW - 60 * case["minutes_ago"], is_trusted=True)
        receipt = await pipeline.accept(intake)
        assert receipt.counts[Outcome.ENQUEUED] == 1


async def _received(case: Mapping[str, Any]) -> Event:
    """Return the event of a case as its door hands it on."""
    event = orjson.dumps(laid_over(TABLE["plain"], case))
    if "request" not in case:
        (read,) = read_event_file(BytesIO(event), clock=lambda: NOW, is_live=not case.get("imported"))
        assert isinstance(read, dict)
        return read
    assert door.NOW == NOW
    ledger, request = door.Ledger(), case["request"]
    async with door.client(door.tracking(ledger, is_open=True), peer=request["from"]) as http:
        await http.post("/v1/track", content=event, headers=request["headers"])
    return ledger.kept[0]


def laid_over(plain: dict[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain event with what a case names, and without what it takes away."""
    event = deepcopy(plain)
    for path in case.get("without", ()):
        *above, name = path.split(".")
        holder = event
        for key in above:
            holder = holder[key]
        del holder[name]
    return merge_mappings(event, case.get("event", {}))


# ---------------------------------------------------------------------------------------------------------------------
# In words


def _row(case: Mapping[str, Any], line: PresetResult, plain: Event) -> str:
    warnings = "<br>".join(_cell(warning) for warning in line.warnings) or "none"
    return f"| {case['what']} | {'<br>'.join(_given(case))} | {_becomes(line, plain)} | {warnings} |"


def _given(case: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a case says, one thing a line."""
    yield from (f"`{name.upper()}={_setting(value)}`" for name, value in case.get("settings", {}).items())
    if case.get("sandbox"):
        yield "*without credentials*"
    if case.get("imported"):
        yield "*by* `pinrelay import`"
    for path, value in _flat(case.get("event", {})):
        yield f"`{path}: {_json(value)}`"
    yield from (f"no `{path}`" for path in case.get("without", ()))
    if "request" in case:
        yield f"*request from* `{case['request']['from']}`"
        yield from (f"`{name}: {value}`" for name, value in case["request"]["headers"].items())
    for earlier in case.get("earlier", ()):
        yield f"*{_ago(earlier['minutes_ago'])} before came:* {', '.join(_given(earlier))}"


def _becomes(line: PresetResult, plain: Event) -> str:
    if line.event is None or line.outcome is not Outcome.ENQUEUED:
        return f"**{line.outcome}**: {_cell(line.reason)}"
    before, now = dict(_flat(plain)), dict(_flat(line.event))
    told = [f"`{path}`: {_sent(value)}" for path, value in now.items() if before.get(path) != value]
    told += [f"no `{path}`" for path in before if path not in now]
    return "<br>".join(["**sent**", *told]) if told else "**sent**, as the plain order"


def _flat(value: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the members of an object by their paths; lists stay whole."""
    for key, member in value.items():
        if isinstance(member, dict) and member:
            yield from _flat(member, f"{at}{key}.")
        else:
            yield at + key, member


def _sent(value: Any) -> str:
    """Write a value that is sent; a digest by what was hashed."""
    values = value if isinstance(value, list) else [value]
    if all(isinstance(each, str) and len(each) == len(next(iter(DIGESTS))) for each in values):
        return ", ".join(f"*SHA-256 of* `{DIGESTS[each]}`" for each in values)
    return f"`{_json(value)}`"


def _setting(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value).lower()


def _ago(minutes: int) -> str:
    days = minutes // 1440
    return f"{days} days" if days else f"{minutes} minutes"


def _tests(names: Iterable[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _block(value: Any) -> str:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return f"```json\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(page()), encoding="utf-8")
