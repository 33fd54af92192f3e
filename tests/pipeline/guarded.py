"""Measure with `--mutants` how many changes of each shipped file the tests find.

    python -m tests.pipeline.guarded [FILE...]

writes the results to `guarded.json`: of these files, or of all files that changed since they were measured. The test
of the results measures a changed file itself, which takes up to a minute for each file.
"""

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson

from app import assemble
from app.catalog.catalog import Draft
from app.pipeline.mutants import Mutant, Mutants
from tests.assembled import settings
from tests.process import ROOT

RESULTS: Final = Path(__file__).with_suffix(".json")
#: At least this share of the changes is found.
LEAST: Final = 0.98
KINDS: Final = ("mappings", "presets", "sources")
_REFUSED = "the event is never made: `requires` refuses what `subscribe` takes"
#: Changes without an effect: the name of the file, the text of the line and the sentence, with the reason.
EQUAL: Final = {
    ("hightouch", "event: Rows within metadata", "`event` can be removed"): _REFUSED,
    ("hightouch", "event: Rows within metadata", "the text `Rows within metadata` in `event` can change"): _REFUSED,
}


def shipped_files() -> list[str]:
    """Return the shipped files of presets, mappings and sources, such as `sources/ga4.yaml`."""
    return sorted(f"{kind}/{file.name}" for kind in KINDS for file in (ROOT / kind).glob("*.yaml"))


def measure(name: str) -> tuple[dict[str, Any], list[str]]:
    """Return the result of a file, and the changes that no test finds."""
    file = ROOT / name
    text = file.read_text("utf-8")
    draft = Draft(**{file.parent.name: {str(file): text}})
    found = list(Mutants(assemble.file_tests(), assemble.running_catalog(settings()), draft).run())
    left = [str(each) for each in found if not each.is_found and not is_equal(each, text)]
    return {"digest": digest(name), "changes": len(found), "found": len(found) - len(left)}, left


def is_equal(change: Mutant, text: str) -> bool:
    """Return whether a change is listed as one without an effect."""
    line = text.splitlines()[change.line - 1].strip()
    return (Path(change.file).stem, line, change.sentence) in EQUAL


def digest(name: str) -> str:
    return sha256((ROOT / name).read_bytes()).hexdigest()


def recorded() -> dict[str, dict[str, Any]]:
    results: dict[str, dict[str, Any]] = orjson.loads(RESULTS.read_bytes()) if RESULTS.exists() else {}
    return results


def main(names: list[str]) -> None:
    changed = [each for each in shipped_files() if recorded().get(each, {}).get("digest") != digest(each)]
    for name in names or changed:
        result, left = measure(name)
        sys.stdout.write("\n  ".join([f"{name}: {result['found']} of {result['changes']}", *left]) + "\n")
        results = {each: value for each, value in recorded().items() if (ROOT / each).exists()}
        text = orjson.dumps(results | {name: result}, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        RESULTS.write_bytes(text + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
