"""How soon the editor of presets shows what a key does, with 50 presets and with a preset that maps 60 fields.

    python bench/editor.py [--keys 20]

A server in sandbox mode keeps samples of events with a hundred places. Chromium opens the editor of a preset and types
a constant, a key at a time. Printed are, of each preset, the time from a key to the changed effect on the page (the
median and the worst of the keys; TYPED_MS of it the page waits for the next key), the server's CPU time for a key, and
the bytes of the page as sent. Goals: RESULT_MS for the median, MOST_BYTES.
"""

import argparse
import os
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import yaml
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout is no package
from app.catalog import ACTION, MAX_ENABLED_PRESETS
from app.catalog.files import ActionFile
from app.catalog.yaml_files import parse_yaml
from app.console.preset_editor import leaves
from bench.receive import cpu_of
from tests import tools
from tests.browser.conftest import ARGUMENTS
from tests.process import PLAIN, ROOT, Server, running
from tests.waiting import until

RESULT_MS: Final = 150
MOST_BYTES: Final = 60_000
SAMPLES: Final = 100
FIELDS: Final = 60
#: Presets do not map these: the second gets the typed text.
UNMAPPED: Final = ("user_data.email", "custom_data.content_name")
#: Notes when a key is pressed, and when the effect has changed since.
WATCH: Final = """() => {
  window.took = [];
  let pressed = 0;
  document.addEventListener("input", () => { pressed = performance.now(); }, true);
  new MutationObserver(() => { if (pressed) { window.took.push(performance.now() - pressed); pressed = 0; } })
    .observe(document.getElementById("effect"), { childList: true, subtree: true });
}"""


def write_presets(folder: Path) -> None:
    """Write as many presets as may be enabled, one of which maps FIELDS fields."""
    shipped = ROOT / "mappings" / "report_conversion_event.yaml"
    action = ActionFile.model_validate(parse_yaml(shipped.read_text(encoding="utf-8")))
    mapping: dict[str, Any] = {"event_name": "checkout"}
    free = [path for path, spec in leaves(action.fields) if not spec.required and path not in UNMAPPED]
    for path in free[: FIELDS - 1]:
        *objects, name = path.split(".")
        inner = mapping
        for each in objects:
            inner = inner.setdefault(each, {})
        inner[name] = {"@path": f"$.properties.{name}"}
    sixty = {"name": "Sixty", "subscribe": 'event = "Order Completed"', "action": ACTION, "mapping": mapping}
    (folder / "sixty.yaml").write_text(yaml.safe_dump(sixty, sort_keys=False), encoding="utf-8")
    for number in range(MAX_ENABLED_PRESETS - 1):
        name = "Order Completed" if not number else f"Order Completed {number}"
        text = (ROOT / "presets" / "order_completed.yaml").read_text(encoding="utf-8")
        (folder / f"order_{number:02}.yaml").write_text(text.replace("Order Completed", name), encoding="utf-8")


def send_samples(server: Server) -> None:
    """Let events arrive that have many places."""
    for number in range(SAMPLES):
        event = {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"m-{number}",
            "timestamp": datetime.now(UTC).isoformat(),
            "context": {"traits": {"email": f"eva{number}@example.com"}, "page": {"url": "https://shop.example/"}},
            "properties": {"order_id": f"SO-{number}", "currency": "EUR", "total": number}
            | {f"place_{each}": f"{each} of {number}" for each in range(90)},
        }
        httpx.post(f"{server.url}/webhook", json=event, **PLAIN).raise_for_status()


def typed(page: Page, keys: int) -> list[float]:
    """Type a constant for the name of the content, and return the milliseconds of each key."""
    page.get_by_text("All fields").click()
    page.evaluate(WATCH)
    field = page.get_by_label("Set Content name", exact=True)
    for number in range(1, keys + 2):
        field.press("x")
        until(partial(_is_shown, page, number), 30, "the effect has changed")
    return [float(each) for each in page.evaluate("window.took")][-keys:]


def _is_shown(page: Page, keys: int) -> bool:
    return int(page.evaluate("window.took.length")) >= keys


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=20)
    keys = parser.parse_args().keys
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        (presets := folder / "presets").mkdir()
        write_presets(presets)
        settings: dict[str, Any] = {"presets_dir": presets, "samples_per_name": SAMPLES}
        settings["quarantine_key"] = "a key of the quarantine, long enough"
        browser = playwright.chromium.launch(executable_path=tools.chromium(playwright), args=list(ARGUMENTS))
        with running(folder, **settings) as server:
            send_samples(server)
            for file in ("order_00.yaml", "sixty.yaml"):
                page = browser.new_page(viewport={"width": 1_440, "height": 900})
                page.goto(f"{server.url}/console/preset/edit?file={file}")
                process = psutil.Process(server.process.pid)
                sent = page.evaluate("performance.getEntriesByType('navigation')[0].transferSize")
                before = cpu_of(process)
                took = typed(page, keys)
                cpu = (cpu_of(process) - before) / keys * 1e3
                median = statistics.median(took)
                met = "met" if median <= RESULT_MS and sent <= MOST_BYTES else "MISSED"
                print(
                    f"{file:14} {median:5.0f} ms, worst {max(took):5.0f} ms, CPU {cpu:5.1f} ms, {sent:7,} bytes: {met}"
                )
                page.close()
        browser.close()
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
