"""Renders the chart of docs/deploy/helm, and writes docs/deploy/kubernetes.yaml of it.

    python -m tests.packaging.helm_subset

Helm itself is no package of PyPI, npm or Debian, so this does what the chart's templates use and refuses all else:
values, `quote`, `toYaml ... | nindent N`, `if` (with `not`), and `range $name, $value` over a mapping.
Source: https://helm.sh/docs/chart_template_guide/
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from tests.process import ROOT

CHART = ROOT / "docs/deploy/helm/pinrelay"
MANIFESTS = ROOT / "docs/deploy/kubernetes.yaml"
_HEAD = """\
# The chart of docs/deploy/helm with its values as they are, and a ServiceMonitor: kubectl apply -f kubernetes.yaml
# Written by `python -m tests.packaging.helm_subset`; docs/deploying.md says what has to be there first.
"""
#: The blanks that `{{-` and `-}}` take with them belong to the tag.
_TAG = re.compile(r"(?:\s*\{\{-|\{\{)\s*(.*?)\s*(?:-\}\}\s*|\}\})", re.DOTALL)


def render(**changes: Any) -> list[dict[str, Any]]:
    """Return the manifests of the chart, with these changes of its values."""
    return [each for each in yaml.safe_load_all(render_text(**changes)) if each]


def render_text(**changes: Any) -> str:
    """Return the text of all templates, rendered."""
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")) | changes
    texts = [path.read_text(encoding="utf-8") for path in sorted((CHART / "templates").glob("*.yaml"))]
    return "\n---\n".join(_rendered(text, {"Values": values}).strip().removeprefix("---\n") for text in texts) + "\n"


def _rendered(text: str, scope: dict[str, Any]) -> str:
    pieces = _TAG.split(text)  # text, tag, text, tag, ... text
    return pieces[0] + _filled(zip(pieces[1::2], pieces[2::2], strict=True), scope)


def _filled(tags: Iterable[tuple[str, str]], scope: dict[str, Any]) -> str:
    """Return what tags stand for, each with the text behind it."""
    rest, filled = iter(tags), ""
    for tag, after in rest:
        word, _, operand = tag.partition(" ")
        if word not in {"if", "range"}:
            filled += _inserted(tag, scope) + after
            continue
        members, behind = _taken(rest)
        filled += "".join(after + _filled(members, each) for each in _scopes(word, operand, scope)) + behind
    return filled


def _taken(rest: Iterator[tuple[str, str]]) -> tuple[list[tuple[str, str]], str]:
    """Take a block up to its `end`; return its tags, and the text behind it."""
    members: list[tuple[str, str]] = []
    depth = 1
    while True:
        tag, after = next(rest)
        depth += tag.startswith(("if ", "range ")) - (tag == "end")
        if not depth:
            return members, after
        members.append((tag, after))


def _scopes(word: str, operand: str, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a block is filled with: once, many times, or never."""
    if word == "if":
        wanted = not operand.startswith("not ")
        return [scope] if bool(_value(operand.removeprefix("not "), scope)) is wanted else []
    named = re.fullmatch(r"(\$\w+), (\$\w+) := (\S+)", operand)
    assert named, operand
    found = _value(named[3], scope)
    return [scope | {named[1]: key, named[2]: found[key]} for key in sorted(found)]


def _inserted(tag: str, scope: dict[str, Any]) -> str:
    if made := re.fullmatch(r"toYaml (\S+) \| nindent (\d+)", tag):
        text = yaml.safe_dump(_value(made[1], scope)).rstrip()
        return "".join(f"\n{' ' * int(made[2])}{line}" for line in text.splitlines())
    path, _, function = tag.partition(" | ")
    assert function in {"", "quote"}, tag
    value = _value(path, scope)
    return json.dumps(str(value)) if function else str(value)


def _value(path: str, scope: dict[str, Any]) -> Any:
    """Return what `.Values.a`, `$.Values.a` or `$name.a` stands for. Fails where there is none."""
    first, *names = path.removeprefix("$.").removeprefix(".").split(".")
    found = scope[first]
    for name in names:
        found = found[name]
    return found


if __name__ == "__main__":
    MANIFESTS.write_text(_HEAD + render_text(serviceMonitor={"enabled": True}), encoding="utf-8")
