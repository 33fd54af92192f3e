"""The documentation is true: links lead somewhere, settings exist, the cookbook's presets do what they are said to."""

import importlib
import json
import re
import runpy
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from app import assemble
from app.assemble.ad_accounts import check_presets, destinations
from app.catalog import load_catalog
from app.cli import all_commands
from app.config import Settings
from app.outbox.sqlite.database import connect, migrate
from tests import assembled
from tests.commands.test_programs import commands
from tests.process import ROOT
from tests.rows import every_row
from tests.test_architecture import FLOORS

PAGES = sorted((ROOT / "docs").glob("*.md"))
every_page = every_row("page", PAGES, ids=lambda path: path.name)
SETTINGS = {name.upper() for name in Settings.model_fields}
#: Secrets of sources are named by their files.
OF_SOURCES = set(re.findall(r"\benv: (\w+)", "".join(file.read_text() for file in (ROOT / "sources").glob("*.yaml"))))
#: Of the file that docs/named-sources.md shows.
OF_SOURCES.add("CRM_SECRET")
#: Written like settings, but they are something else: OpenTelemetry's, of warehouses, a name in `integrations`, a
#: folder of compose.
NO_SETTINGS = {
    "PINTEREST_TAG",
    "CONSENT_CATEGORY",  # misspelt, or of other programs
    "CONSENT_MODE",
    "PRESET_DIR",
    "PUBLIC_KEY",
    "HTTPS_PROXY",
    "NAME",  # of `NAME_FILE`
    "DELETE_ONLY",  # regulations of Segment
    "SUPPRESS_ONLY",
    "SUPPRESS_WITH_DELETE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "FILES_DIR",
    "MYSQL_PWD",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_LOGS_EXPORTER",
    "OTEL_METRICS_EXPORTER",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_SERVICE_NAME",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "SSL_CERT",
}

#: Every option that some command of pinrelay has; and those of the programs of bench/ that are named by themselves.
OPTIONS = {option for one in commands(all_commands()).values() for each in one.params for option in each.opts} | {
    "--help",
    "--version",
    "--install-completion",
}
OF_BENCHES = {"--outbox"}

COOKBOOK = (ROOT / "docs/cookbook.md").read_text(encoding="utf-8")
RECIPES = re.findall(
    r"^```yaml preset\n(.*?)^```\n\n```json event\n(.*?)^```\n\n```json result\n(.*?)^```$",
    COOKBOOK,
    re.MULTILINE | re.DOTALL,
)


def _name(text: str) -> str:
    """Name a case by the first line of its preset."""
    return text.splitlines()[0].removeprefix("name: ") if text.startswith("name:") else ""


@every_row("page", [ROOT / "README.md", *PAGES], ids=lambda path: path.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, fragment in re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), target
        if fragment:
            assert fragment in anchors(linked), f"{target}#{fragment}"


def test_every_page_has_a_place_in_the_site() -> None:
    site = (ROOT / ".ci/mkdocs.yml").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if not re.search(rf"[ \[]{page.name}\b", site)] == []


@every_page
def test_the_files_of_the_repository_that_it_names_exist(page: Path) -> None:
    named = re.findall(r"(?<!`)`(?!`)[^`\n]*?\b((?:app|bench|tests)/[\w./-]*\w)", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


@every_page
def test_the_settings_it_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    quoted = " ".join(re.findall(r"`[^`\n]+`|^```sh(?! markets).*?^```$", text, re.MULTILINE | re.DOTALL))
    named = {name.removesuffix("_FILE") for name in re.findall(r"(?<![\w$])[A-Z]+(?:_[A-Z]+)+(?!\w)", quoted)}
    assert named - NO_SETTINGS <= SETTINGS | OF_SOURCES


@every_page
def test_the_options_of_pinrelay_that_it_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    spoken = [
        *re.findall(r"`((?:pinrelay|--)[^`\n]*)`", text),
        *re.findall(r"^(?:\.venv/bin/)?pinrelay .*$", text, re.MULTILINE),
    ]
    named = set(re.findall(r"(?<!\S)--[a-z][a-z-]*", " ".join(spoken)))
    assert named - OPTIONS - OF_BENCHES == set()


def test_the_names_of_the_map_exist() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`(app(?:\.\w+)+)`", page))
    assert len(names) > 20
    assert [name for name in sorted(names) if not exists(name)] == []


def test_the_map_shows_every_room_on_its_floor() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| ((?:`[\w/]+` ?)+) \|", page, re.MULTILINE)
    shown = {floor: set(re.findall(r"`(\w+)/?`", rooms)) for floor, rooms in rows}
    assert shown == FLOORS


def test_the_tables_of_an_outbox_are_those_of_its_page(tmp_path: Path) -> None:
    page = (ROOT / "docs/outbox.md").read_text(encoding="utf-8")
    rows = page.partition("## What is on disk (SQLite)")[2].partition("\n\n")[2].partition("\n\n")[0]
    shown = set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows.splitlines())))
    with closing(connect(tmp_path / "o.db", timeout_s=1)) as connection:
        migrate(connection)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert shown == {name for name in tables if not name.startswith("sqlite_")}


def test_the_reference_pages_of_the_site_are_generated() -> None:
    site = runpy.run_path(str(ROOT / ".ci/site_pages.py"))
    pages = site["generated_pages"]()
    short = [name for name, text in pages.items() if text.count("\n") < 10]
    assert not short
    assert "pinrelay_request_seconds" in pages["reference/metrics.md"]


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def test_every_preset_of_the_cookbook_has_an_event_and_a_result() -> None:
    assert len(RECIPES) == COOKBOOK.count("```yaml preset") > 5


@pytest.mark.parametrize(("preset", "event", "result"), RECIPES, ids=_name)
def test_a_preset_of_the_cookbook_gives_what_it_says(preset: str, event: str, result: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(preset, encoding="utf-8")
    pipeline = assemble.pipeline(assembled.settings(presets_dir=(tmp_path,)))
    now = time.time()
    given = json.loads(event) | {"timestamp": int(now)}
    ((_, sent),) = pipeline.map_event(orjson.dumps(given), now)
    assert_within(json.loads(result), json.loads(sent))


def test_the_cookbooks_commands_switch_on_what_they_name(tmp_path: Path) -> None:
    (script,) = (
        block for block in re.findall(r"^```sh\n(.*?)^```$", COOKBOOK, re.MULTILINE | re.DOTALL) if "sed" in block
    )
    (tmp_path / "presets").symlink_to(ROOT / "presets")
    named = [f"ga4_{event}.yaml" for event in re.findall(r"for event in (.*?);", script)[0].split()]

    subprocess.run(["sh", "-euc", script.replace("pinrelay check", "")], cwd=tmp_path, check=True, timeout=20)

    catalog = load_catalog([tmp_path / "presets", tmp_path / "my-presets"], [ROOT / "mappings"])
    assert [Path(preset.file).name for preset in catalog.enabled if preset.name.startswith("GA4")] == sorted(named)


def assert_within(shown: Any, sent: Any) -> None:
    """Check that everything that is shown is sent; more may be."""
    if isinstance(shown, dict):
        assert shown.keys() <= sent.keys()
        for key, value in shown.items():
            assert_within(value, sent[key])
    else:
        assert shown == sent


def anchors(page: Path) -> set[str]:
    """Name the headings as GitHub does."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_destination_that_is_shown_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs/destinations.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml destination\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "us.yaml").write_text(shown, encoding="utf-8")
    mine = assembled.settings(destinations_dir=(tmp_path,))
    (found,) = destinations(mine, {"PINTEREST_TOKEN_US": "pina_us"})
    assert (found.name, found.settings.ldp_states, found.settings.max_calls_per_minute) == (
        "Shop US",
        ("CA", "CO"),
        1_000,
    )
    check_presets(mine, frozenset(preset.name for preset in assembled.shipped_catalog().presets))


def test_the_defaults_that_the_page_on_privacy_names_are_those_of_the_settings() -> None:
    text = (ROOT / "docs/privacy.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"^Unless you change them, (.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    for names, default in re.findall(r"((?:`[A-Z_]+`[, \nand]*)+)(?:is|are) (\d+|`[a-z]+:[^`]*`)", told):
        found |= dict.fromkeys(re.findall(r"[A-Z_]{4,}", names), default.strip("`"))
    assert len(found) == len(re.findall(r"`[A-Z_]+`", told))
    assert found == {name: f"{Settings.model_fields[name.lower()].default}".removesuffix(".0") for name in found}


def test_the_clients_and_tools_that_are_tried_have_the_versions_that_are_installed() -> None:
    text = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8").partition("## Clients and tools")[2]
    shown = dict(re.findall(r"^\| [^|]*`([^`]+)` \| ([\d.]+) \|", text, re.MULTILINE))
    packages = json.loads((ROOT / "tests/node/package-lock.json").read_text(encoding="utf-8"))["packages"]
    pinned = dict(
        re.findall(r"^([\w-]+)==([\d.]+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    )
    versions = pinned | {path.removeprefix("node_modules/"): each.get("version") for path, each in packages.items()}
    assert len(shown) == text.count("\n| ") - 1
    assert shown == {name: versions.get(name) for name in shown}
