"""Public names of earlier versions do not return: each row of the table *Renamed* of the changelog."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import all_commands
from app.config import Settings
from app.main import create_app
from tests.assembled import settings
from tests.outbox.new_store import new_store
from tests.process import ROOT

#: An expression for each old name.
OLD_NAMES = {
    "MAX_UNPACKED_BYTES": r"unpack",
    "SUPPRESS=as_said": r"\bas_said\b",
    "`TAG_EVENT_ID=named`, `TAG_EVENT_ID=message`": r"TAG_EVENT_ID=(named|message)\b",
    "`outcome` in the log, `pinrelay.outcome` in traces": r"pinrelay\.outcome|`attempt`, `outcome`",
    "`exit`, `exits` of an event (JSON, filters, metrics, tests of presets)": (
        r"`exits?`|[\"{,]exits?[\"=:}]|--exit\b(?!-)|\bexits?: |[?&]exit="
    ),
    "`proven`, `is_proven`, `for_proven` (JSON, SQL, stories)": r"proven",
    "put away": r"\bput (it |them )?away\b",
    "Became no delivery": r"became no delivery",
    "Pinterest's view": r"pinterest's (own )?view",
}
FILES = (
    "README.md",
    "docker-compose*.yml",
    "docs/**/*.*",
    "mappings/**/*.*",
    "presets/**/*.*",
    "sources/**/*.*",
    "destinations/**/*.*",
    "app/console/templates/*.html",
)


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the text of each public surface by its name."""
    url = new_store(tmp_path_factory.mktemp("document"), "pinrelay.db")
    document = create_app(settings(outbox_url=url)).openapi()
    return {
        "OpenAPI": json.dumps(document),
        "settings": json.dumps(Settings.model_json_schema()),
        "command line": "\n".join(_help_texts(all_commands())),
        **{str(each.relative_to(ROOT)): each.read_text(encoding="utf-8") for each in _files()},
    }


def _help_texts(group: object) -> Iterator[str]:
    for name, command in getattr(group, "commands", {}).items():
        yield f"{name} {command.help}"
        for parameter in command.params:
            yield f"{' '.join(parameter.opts)} {getattr(parameter, 'help', '')}"
        yield from _help_texts(command)


def _files() -> Iterator[Path]:
    for pattern in FILES:
        yield from (each for each in ROOT.glob(pattern) if each.suffix not in {".png", ".webp", ".gif"})


@pytest.mark.parametrize("name", OLD_NAMES)
def test_an_old_name_is_on_no_public_surface(surfaces: dict[str, str], name: str) -> None:
    old = re.compile(OLD_NAMES[name], re.IGNORECASE)
    found = {
        surface: text[max(0, hit.start() - 30) : hit.end() + 30]
        for surface, text in surfaces.items()
        if (hit := old.search(text))
    }
    assert found == {}


@pytest.mark.parametrize("name", OLD_NAMES)
def test_an_old_name_is_in_the_table_of_the_changelog(name: str) -> None:
    table = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("### Renamed\n")[2].partition("\n###")[0]
    rows = [name] if "`" in name or " " in name.replace(", ", "") else [f"`{each}`" for each in name.split(", ")]
    assert [each for each in rows if f"| {each} |" not in table] == []
