"""The programs of bench/ compare like with like, and what they show holds."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.catalog.yaml_files import parse_yaml
from app.destination import COMPONENTS
from bench import engine, quality
from tests.assembled import pipeline, shipped_catalog

pytestmark = pytest.mark.slow  # all realistic events, by two engines

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "tests/conformance/events.ndjson").read_bytes().splitlines()
CATALOG = shipped_catalog()


def decompressed(made: list[tuple[str, bytes]]) -> list[tuple[str, Any]]:
    return [(preset, orjson.loads(sent)) for preset, sent in made]


def test_the_work_by_hand_gives_the_same_as_the_engine() -> None:
    shipped = pipeline()

    for line in LINES:
        assert decompressed(engine.by_hand(line)) == decompressed(shipped.map_event(line, engine.NOW))


@pytest.fixture(scope="module")
def measured() -> tuple[Any, Any, Any]:
    return quality.measure(CATALOG, [orjson.loads(line) for line in LINES])


@pytest.mark.parametrize("component", COMPONENTS)
def test_our_defaults_carry_every_component_at_least_as_often_as_segments(
    component: str, measured: tuple[Any, Any, Any]
) -> None:
    count, ours, segment = measured

    assert all(ours[name][component] >= segment[name][component] for name in count)
    assert 0 < ours[quality.ALL][component] <= count[quality.ALL]


def test_our_defaults_carry_more_in_all(measured: tuple[Any, Any, Any], record_figure: Any) -> None:
    count, ours, segment = measured
    mean, segments_mean = (carried[quality.ALL].total() / count[quality.ALL] for carried in (ours, segment))

    assert mean > segments_mean
    record_figure("quality components an event", f"{mean:.2f}, by Segment's defaults {segments_mean:.2f}")


@pytest.fixture(scope="module")
def of_sources() -> tuple[Any, Any, Any]:
    return quality.measure(CATALOG, list(quality.events_of_sources()))


def test_our_defaults_carry_more_of_events_as_sources_send_them_too(of_sources: tuple[Any, Any, Any]) -> None:
    count, ours, segment = of_sources

    assert count[quality.ALL] >= 20
    assert ours[quality.ALL].total() > 2 * segment[quality.ALL].total()


def means(measured: tuple[Any, Any, Any]) -> list[str]:
    """Return the components that an event carries by our defaults and by Segment's, as the page writes them."""
    count, *both = measured
    return [f"{carried[quality.ALL].total() / count[quality.ALL]:.1f}" for carried in both]


def test_the_page_of_differences_has_these_figures(
    measured: tuple[Any, Any, Any], of_sources: tuple[Any, Any, Any]
) -> None:
    page = " ".join((ROOT / "docs/differences.md").read_text(encoding="utf-8").split())
    listed: Any = parse_yaml((ROOT / "tests/conformance/differences.yaml").read_text(encoding="utf-8"))
    vectors = {
        name: list(map(orjson.loads, (ROOT / f"tests/conformance/{name}.ndjson").read_bytes().splitlines()))
        for name in ("trigger", "mapping", "action")
    }
    differing = sum(row["expected"] != row["segment"] for row in vectors["trigger"])

    ours, segments = means(measured)
    shipped, segments_shipped = means(of_sources)
    for sentence in (
        f"({differing} of {len(vectors['trigger'])} recorded triggers)",
        f"({len(listed['mapping'])} of {len(vectors['mapping'])};",
        f"have {ours} with these defaults and {segments} with Segment's;",
        f"real events (`tests/presets/shapes`) {shipped} and {segments_shipped}.",
    ):
        assert sentence in page, sentence


def test_memory_brings_what_the_rules_allow_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    quality.journeys()
    shares = {
        line[:24].strip(): re.findall(r"\d+ \| +\d+ \| +\d+", line) for line in capsys.readouterr().out.splitlines()
    }
    told = [list(map(int, each.split("|"))) for row in ("hashed_email", "click_id_epik") for each in shares[row]]
    assert [9, 73, 73] in told
    assert all(with_memory == rules for _, with_memory, rules in told)


def test_the_pixel_of_a_shop_brings_events_before_the_order_and_the_click_of_an_earlier_visit(capsys: Any) -> None:
    quality.shopify()
    printed = capsys.readouterr().out
    rows = {line[:28].strip(): list(map(int, line[28:].split())) for line in printed.splitlines()[3:7]}
    assert {title: row[-1] for title, row in rows.items()} == {
        "webhooks, same visit": 17,
        "with pixel, same visit": 59,
        "webhooks, later visit": 15,
        "with pixel, later visit": 59,
    }
    assert printed.endswith("The pixel adds to the order of a later visit: click_id_epik\n")


def test_a_program_finds_what_tests_share_though_a_file_beside_it_is_named_like_a_library() -> None:
    started = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'bench')!r}]; import tests.process"
    done = subprocess.run([sys.executable, "-c", started], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
