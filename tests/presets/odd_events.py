"""Write odd_events.md and odd_events_warnings.json from the cases of odd_events.yaml.

    python -m tests.presets.odd_events

Each case is read and explained as `pinrelay preview` does. Cases with a `request` pass through the Tracking API. Cases
with `earlier` events are explained with an outbox that has stored these events.
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
from tests.source import door

PAGE = Path(__file__).parent / "odd_events.md"
#: The complete warnings of each case; the page names their fields only.
WARNINGS = Path(__file__).parent / "odd_events_warnings.json"
TABLE: Any = parse_yaml((Path(__file__).parent / "odd_events.yaml").read_text(encoding="utf-8"))
SHAPES = sorted((Path(__file__).parent / "shapes").glob("*.json"))
NOW = datetime.fromisoformat(TABLE["clock"]).timestamp()
DIGESTS = {hashlib.sha256(text.encode()).hexdigest(): text for text in TABLE["hashed"]}
LIVE: dict[str, Any] = {"pinterest_ad_account_id": "549755885175", "pinterest_conversion_token": "token"}
RULES: list[dict[str, Any]] = [rule for part in TABLE["parts"] for rule in part["rules"]]

_HEAD = """# Odd events

Pinterest events that Pinrelay makes of unusual input, with the shipped presets, the default settings, and Pinterest
live. This page is generated and tested (`make odd-events`).

Each event is the plain order below with the changes of its row. *Result* lists the differences from the plain order, or
the reason why the event is not sent. *SHA-256 of x* is the digest that is sent. *Warning* names fields with a warning.
To see the warning texts, send the event to `pinrelay preview` or to the console's event tester.
"""
_SHAPES = """## Complete events of real sources

Each file has the event of an SDK, shop or warehouse, the complete Pinterest event and all warnings:
"""


async def written() -> dict[Path, str]:
    """Return the texts of the page and of the file of warnings by their paths."""
    plain = await line_of({})
    assert plain.event
    text = [_HEAD, _block(TABLE["plain"]), "The plain order is sent as\n", _block(plain.event)]
    warnings: dict[str, dict[str, list[str]]] = {}
    for part in TABLE["parts"]:
        text.append(f"## {part['title']}\n")
        for rule in part["rules"]:
            rows = []
            for case in rule["events"]:
                line = await line_of(case)
                rows.append(_row(case, line, plain.event))
                warnings.setdefault(f"{rule['number']}", {})[case["what"]] = list(line.warnings)
            text.append(f"**{rule['number']}. {rule['rule']}**\n")
            text.append("\n".join(["| case | changes | result |", "|---|---|---|", *rows]) + "\n")
    text.append(_SHAPES + ", ".join(f"[{file.stem}]({file.relative_to(PAGE.parent)})" for file in SHAPES) + ".")
    recorded = orjson.dumps(warnings, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    return {PAGE: "\n".join(text) + "\n", WARNINGS: recorded}


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
    result = _result(line, plain)
    if line.warnings:
        result += f"<br>*warning:* {', '.join(dict.fromkeys(_subject(warning) for warning in line.warnings))}"
    return f"| {case['what']} | {'<br>'.join(_given(case))} | {result} |"


def _subject(warning: str) -> str:
    """Return the field of a warning, or the beginning of a warning about no field."""
    subject = warning.partition(":")[0].partition(" (")[0]
    return subject if " " in subject else f"`{subject}`"


def _given(case: Mapping[str, Any]) -> Iterator[str]:
    """Yield the changes of a case, one line each."""
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
        yield f"*{_ago(earlier['minutes_ago'])} before:* {', '.join(_given(earlier))}"


def _result(line: PresetResult, plain: Event) -> str:
    if line.event is None or line.outcome is not Outcome.ENQUEUED:
        return f"**{line.outcome}**: {_cell(line.reason)}"
    before, now = dict(_flat(plain)), dict(_flat(line.event))
    changes = [f"`{path}`: {_sent(value)}" for path, value in now.items() if before.get(path) != value]
    changes += [f"no `{path}`" for path in before if path not in now]
    return "<br>".join(["**sent**", *changes]) if changes else "**sent**, unchanged"


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


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _block(value: Any) -> str:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return f"```json\n{text}\n```\n"


if __name__ == "__main__":
    for path, text in asyncio.run(written()).items():
        path.write_text(text, encoding="utf-8")
