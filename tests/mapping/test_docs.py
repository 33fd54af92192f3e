"""The examples of docs/mapping.md give what they say, and every directive has one."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.catalog.mappings import compile_mapping
from app.errors import MappingError
from app.mapping.directives import DIRECTIVES
from tests.rows import every_row

DOCS = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(yaml mapping|json event|json result|fault)\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example: a mapping, an event and what comes out."""

    mapping: Any
    event: Any
    result: Any


def examples() -> list[Example]:
    """Return the examples in order. One without an event reads the first event of the page."""
    page_event = json.loads(BLOCKS[1][1])
    found = []
    mapping, event = None, page_event
    for kind, text in BLOCKS:
        if kind == "yaml mapping":
            mapping, event = yaml.safe_load(text), page_event
        elif kind == "json event":
            event = json.loads(text)
        elif kind == "json result":
            found.append(Example(mapping=mapping, event=event, result=json.loads(text)))
    return found


@every_row("example", examples(), ids=lambda example: ",".join(example.mapping))
def test_an_example_gives_its_result(example: Example) -> None:
    assert compile_mapping(example.mapping).resolve(example.event) == example.result


def test_the_faults_shown_are_those_reported() -> None:
    mapping, *faults = next(text for kind, text in BLOCKS if kind == "fault").splitlines()

    with pytest.raises(MappingError) as error:
        compile_mapping(json.loads(mapping))

    reported = str(error.value).splitlines()
    assert len(reported) == len(faults)
    assert all(line.startswith(fault) for line, fault in zip(reported, faults, strict=True))


@every_row("directive", DIRECTIVES)
def test_every_directive_has_an_example(directive: str) -> None:
    assert any(f'"{directive}"' in json.dumps(example.mapping) for example in examples())


@every_row("directive", [name for name in DIRECTIVES if name != "@literal"])
def test_its_builder_says_what_a_directive_gives_as_the_site_shows_it(directive: str) -> None:
    assert re.match(rf"Build `{directive}`: .*\.$", str(DIRECTIVES[directive].__doc__), re.MULTILINE)
