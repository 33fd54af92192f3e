"""Every fenced block of the README and of docs/, and which test tries it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.process import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCED = re.compile(r"^( *)```(\w+) ?(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)
_SETS = re.compile(r"(export )?[A-Z_]+=(\$\([^)]*\)|'[^']*'|\S)+( +#.*)?|#.*")
#: What stands behind a block's language where it cannot be run here: readers see it too.
_NOT_HERE = re.compile(
    r"needs (a cluster|a feed|a shop|a container engine|root and systemd|a provider of OpenID Connect)|takes minutes"
)
#: Page, language with what stands behind it, something in the text, and the file of the tests that try such blocks.
_ELSEWHERE = (
    ("README", "sh", "make run", "packaging/test_new_user.py"),
    ("README", "sh", "/webhook", "test_readme.py"),
    ("README", "json|yaml", "", "test_readme.py"),
    ("browser-helper", "html (page|snippet)", "", "browser/test_script_tag.py"),
    (
        "CONTRIBUTING",
        "(json|markdown|python|yaml) .*|sh( request)?|text",
        "^(?!make |SOURCES=)",
        "test_contributing.py",
    ),
    ("scaling", "sql rights", "", "outbox/postgres/test_rights.py"),
    ("cookbook", "(sh|yaml) markets.*", "", "whole/test_markets.py"),
    ("cookbook", "sh", "sed ", "test_docs.py"),
    ("cookbook", "yaml preset|json .*", "", "test_docs.py"),
    ("destinations", "yaml destination", "", "test_docs.py"),
    ("getting-started", "sh", "make run", "packaging/test_new_user.py"),
    ("getting-started", "sh", "curl", "test_readme.py"),
    ("getting-started", "sh", "pipx", "packaging/test_new_user.py"),
    ("mapping", "yaml mapping|json .*|fault", "", "mapping/test_docs.py"),
    ("privacy", "yaml preset", "", "catalog/test_opt_outs.py"),
    ("releasing", "sh", "v0.2.0|VERSION=0.2.0", "packaging/test_release.py"),
    ("runbooks", "sh", "", "examples/test_runbooks.py"),
    ("sources", "js", "retryingFetch", "sdk/test_clients.py"),
    ("source-.*", "sh request", "", "sources/test_pages.py"),
    ("telemetry", "yaml traces", "", "test_house.py"),
    ("testing", "sh hook|yaml (pre-commit|github|gitlab)", "", "packaging/test_pipelines.py"),
    ("testing", "sh shadow", "", "commands/test_shadow.py"),
    ("testing", ".*", "", "commands/test_file_tests.py"),
    ("triggers", "trigger", "", "trigger/test_docs.py"),
    ("twins", ".* story", "", "commands/test_story.py"),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One of them."""

    #: The page's name without its ending.
    page: str
    line: int
    language: str
    #: What stands behind the language; "" where nothing does.
    title: str
    #: Without the blanks before each line in which it stands in a list.
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def elsewhere(self) -> Path | None:
        """The tests that try it, beside those of this folder; None where there are none."""
        info = f"{self.language} {self.title}".strip()
        for page, infos, held, tests in _ELSEWHERE:
            if re.fullmatch(page, self.page) and re.fullmatch(infos, info) and re.search(held, self.text):
                return ROOT / "tests" / tests
        return None

    @property
    def why_not(self) -> str:
        """Why it cannot be run here; "" where it can."""
        return self.title if _NOT_HERE.fullmatch(self.title) else ""

    @property
    def sets_only(self) -> bool:
        """Whether it is a script that gives settings and does nothing else."""
        return self.language == "sh" and all(map(_SETS.fullmatch, self.text.splitlines()))

    @property
    def is_script(self) -> bool:
        """Whether tests/examples/test_scripts.py runs it."""
        return self.language == "sh" and not (self.elsewhere or self.why_not or self.sets_only)


def _blocks() -> Iterator[Block]:
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for found in _FENCED.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Block(page=path.stem, line=line, language=found[2], title=found[3], text=dedent(found[4]))


BLOCKS = list(_blocks())
