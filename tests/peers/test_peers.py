"""What the suites of other senders to Pinterest demand, in our own words: one table a suite, one row an assertion.

Each file names the repository, its commit and the file that was read. A row has what comes in and what is sent, by
dotted names; `~` is not sent, and `"#text"` is the digest of the text. A row that we refuse says why.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from app.catalog.yaml_files import parse_yaml
from app.source import read_raw_event
from tests import assembled
from tests.process import ROOT
from tests.rows import every_row
from tests.sources.sending import NOW

SUITES: dict[str, Any] = {
    file.stem: parse_yaml(file.read_text(encoding="utf-8")) for file in sorted(Path(__file__).parent.glob("*.yaml"))
}
PIPELINE = assembled.pipeline(sources_dir=(ROOT / "sources",))
#: As many rows are asked for, and of these suites.
AT_LEAST = {"ss_gtm_template": 100, "pinterest_for_woocommerce": 45}
ASKED = 250


def expected(value: Any) -> Any:
    """Return what a table means: `#text` is the digest of the text."""
    if isinstance(value, list):
        return [expected(each) for each in value]
    if isinstance(value, dict):
        return {name: expected(each) for name, each in value.items()}
    if isinstance(value, str) and value.startswith("#"):
        return sha256(value[1:].encode()).hexdigest()
    return value


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return an event with what a row changes; null takes a member out."""
    made = dict(below)
    for name, value in above.items():
        under = made.get(name)
        made[name] = laid_over(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return {name: value for name, value in made.items() if value is not None}


def sent_of(suite: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """Return the Pinterest event of a row; empty where none is sent."""
    source = case.get("source", suite["source"])
    event = laid_over(suite["base"][source], case.get("event", {}))
    if source == "segment":
        (line, *_) = PIPELINE.preview(read_raw_event(orjson.dumps(event), now=NOW), now=NOW)
        return dict(line.event or {})
    headers = {str(name): str(value) for name, value in suite.get("headers", {}).items()}
    (lines,) = PIPELINE.preview_request(source, orjson.dumps(event), headers, now=NOW)
    assert isinstance(lines, list)
    return dict(lines[0].event or {})


def at(event: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        event = event.get(key) if isinstance(event, dict) else None
    return event


def wrong(suite: dict[str, Any], case: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what is sent otherwise than a row says: what is, and what should be."""
    sent = sent_of(suite, case)
    found = {name: (at(sent, name), expected(value)) for name, value in case["sent"].items()}
    return {name: (is_sent, should) for name, (is_sent, should) in found.items() if is_sent != should}


@every_row("name", SUITES)
def test_what_another_suite_asserts_holds_or_is_refused_with_a_reason(name: str) -> None:
    suite = SUITES[name]
    failed = {
        case["name"]: missed for case in suite["cases"] if "refused" not in case and (missed := wrong(suite, case))
    }
    assert failed == {}


def test_each_row_says_what_is_sent_or_why_not() -> None:
    for suite in SUITES.values():
        assert all(suite[name] for name in ("repository", "commit", "file"))
        names = [case["name"] for case in suite["cases"]]
        assert len(names) == len(set(names))
        for case in suite["cases"]:
            assert ("sent" in case) != ("refused" in case), case["name"]
            assert case["rule"] in range(1, 16), case["name"]


def test_there_are_enough_rows() -> None:
    counts = {name: len(suite["cases"]) for name, suite in SUITES.items()}
    held = sum("sent" in case for suite in SUITES.values() for case in suite["cases"])
    assert held >= ASKED
    assert {name: counts[name] for name in AT_LEAST if counts[name] < AT_LEAST[name]} == {}
