"""What the site has beside docs/: the README as its first page, and reference pages made of the code.

MkDocs calls the functions that begin with `on_` (https://www.mkdocs.org/user-guide/configuration/#hooks).
"""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from app.catalog import load_catalog
from app.catalog.files import FieldSpec
from app.cli import EXIT_CODES, all_commands
from app.config import load_settings
from app.core.events import Outcome
from app.core.metrics import Metrics
from app.main import create_app
from app.mapping.choice_context import NO_READERS
from app.mapping.compiler import Compiler
from app.mapping.directives import DIRECTIVES, OWN_DIRECTIVES

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[1]


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the generated pages."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - tests generate the pages without MkDocs

    for name, text in generated_pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def generated_pages() -> dict[str, str]:
    """Return the generated pages: path -> Markdown."""
    return {
        "index.md": (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "]("),
        "reference/fields.md": "\n".join(_fields()),
        "reference/directives.md": "\n".join(_directives()),
        "reference/commands.md": "\n".join(_commands()),
        "reference/api.md": "\n".join(_api()),
        "reference/metrics.md": "\n".join(_metrics()),
        "reference/outcomes.md": "\n".join(_outcomes()),
        "reference/odd-events.md": _odd_events(),
    }


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Leave the words of links that lead out of docs/, and make what stands behind a block's language its title."""
    titled = re.sub(r"^```(\w+) (.+)$", lambda fence: f"```{fence[1]} title='{fence[2]}'", markdown, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]*)\]\((?:\.\./|presets/|mappings/)[^)]*\)|\[([^\]]*)\]\([\w-]+/\)", r"\1\2", titled)


def _odd_events() -> str:
    """Return the page that `make odd-events` writes, without links to files that the site does not have."""
    page = (ROOT / "tests/presets/odd_events.md").read_text(encoding="utf-8")
    return re.sub(r"\[([\w-]+)\]\(shapes/[^)]*\)", r"\1", page)


def _table(*names: str) -> Iterator[str]:
    yield "| " + " | ".join(names) + " |"
    yield "|---" * len(names) + "|"


def _cell(text: object) -> str:
    return " ".join(str(text).replace("|", "\\|").split())


def _fields() -> Iterator[str]:
    action = load_catalog(ROOT / "presets", ROOT / "mappings").action
    yield f"# Fields\n\n{action.description} [How each may be mapped](../mapping.md).\n"
    yield from _table("field", "type", "what it is")
    for name, field in action.fields.items():
        yield from _field_rows(name, field)


def _field_rows(name: str, field: FieldSpec) -> Iterator[str]:
    needed = ", required" if field.required else ""
    yield f"| `{name}` | {field.type}{needed} | {_cell(field.description)} |"
    for member, inner in (field.properties or {}).items():
        yield from _field_rows(f"{name}.{member}", inner)


def _directives() -> Iterator[str]:
    yield "# Directives\n\nHow a mapping computes a value: [each by example](../mapping.md).\n"
    yield from _table("directive", "of", "takes", "gives")
    for name, builder in DIRECTIVES.items():
        compiler = Compiler(DIRECTIVES, NO_READERS, {})
        builder(compiler, 7, "")  # which only those take that take any value
        takes = [re.sub(" but it is.*", "", fault.message.removeprefix("should be ")) for fault in compiler.faults]
        gives = "that value" if builder is Compiler.compile else str(builder.__doc__).splitlines()[0].partition(": ")[2]
        whose = "Pinrelay" if name in OWN_DIRECTIVES else "Segment"
        yield f"| `{name}` | {whose} | {_cell(''.join(takes) or 'any value').replace(chr(39), '`')} | {_cell(gives)} |"


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "Every command takes `--help`; [command output](../command-output.md) lists what each prints with `--json`.\n"
    yield from _command("pinrelay", all_commands())
    yield "\n## Exit codes\n"
    yield from _table("code", "means")
    yield from (f"| {code} | {text} |" for code, text in EXIT_CODES.items())


def _command(name: str, command: Any) -> Iterator[str]:
    members = getattr(command, "commands", {})
    if not members:
        yield f"\n## {name}\n\n{command.help}\n"
        yield from _table("argument or option", "default", "what it does")
        for each in command.params:
            shown = ", ".join(f"`{option}`" for option in each.opts)
            default = "" if each.default in (None, False, ...) or callable(each.default) else f"`{each.default}`"
            yield f"| {shown} | {default} | {_cell(getattr(each, 'help', '') or '')} |"
    for word, inner in members.items():
        yield from _command(f"{name} {word}", inner)


def _api() -> Iterator[str]:
    with TemporaryDirectory() as folder:
        document = create_app(load_settings(outbox_url=f"sqlite:///{folder}/pinrelay.db")).openapi()
    yield "# HTTP interface\n\nThe whole document is `/openapi.json` of a running process.\n"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"\n## {method.upper()} {path}\n\n{operation.get('summary', '')}\n"
            if parameters := operation.get("parameters"):
                yield from _table("parameter", "in", "what it is")
                yield from (f"| `{p['name']}` | {p['in']} | {_cell(p.get('description', ''))} |" for p in parameters)
                yield ""
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in body:
                yield f"```json\n{json.dumps(body['example'], indent=2)}\n```\n"
            yield from _table("answer", "means")
            yield from (f"| {status} | {_cell(a['description'])} |" for status, a in operation["responses"].items())


def _metrics() -> Iterator[str]:
    text = Metrics().render([], now=0)[0].decode()
    types = dict(re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE))
    yield "# Metrics\n\nThe metrics of `/metrics`. Alert rules and a dashboard: [alerts](../operating.md#alerts).\n"
    yield from _table("metric", "kind", "what it counts")
    for name, told in re.findall(r"^# HELP (pinrelay_\S+) (.*)$", text, re.MULTILINE):
        if not name.endswith("_created"):
            yield f"| `{name}` | {types[name]} | {_cell(told)} |"


def _outcomes() -> Iterator[str]:
    yield "# Outcomes\n\nHow an event, or its delivery for one preset, leaves a stage: a closed list, each counted.\n"
    yield from _table("outcome", "of what is", "means", "in figures as")
    stage = ""
    for heading, meaning, name in re.findall(r"# (\w+)\n|#: (.*)\n\s+(\w+) =", inspect.getsource(Outcome)):
        stage = heading or stage
        if name:
            figure = "pinrelay_events_total" if stage == "received" else "pinrelay_deliveries_total"
            yield f"| `{Outcome[name].value}` | {stage} | {_cell(meaning)} | `{figure}` |"
