"""The examples of docs/triggers.md do what they say."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from app.errors import TriggerError
from app.trigger import compile_trigger
from tests.rows import every_row

DOCS = (Path(__file__).parents[2] / "docs" / "triggers.md").read_text(encoding="utf-8")


def examples() -> Iterator[tuple[str, str, str]]:
    """Yield trigger, answer (`yes`, `no`, `error`) and event or message of every example."""
    for block in re.findall(r"^```trigger\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE):
        for example in block.strip().split("\n\n"):
            text, *answers = example.splitlines()
            for line in answers:
                answer, rest = line.split(maxsplit=1)
                yield text, answer, rest


def answer_of(text: str, rest: str) -> tuple[str, str]:
    try:
        trigger = compile_trigger(text)
    except TriggerError as error:
        return "error", str(error)
    return ("yes" if trigger.matches(json.loads(rest)) else "no"), rest


@every_row(("text", "answer", "rest"), list(examples()))
def test_an_example_is_true(text: str, answer: str, rest: str) -> None:
    assert answer_of(text, rest) == (answer, rest)


def test_the_examples_are_found() -> None:
    assert len(list(examples())) > 60
