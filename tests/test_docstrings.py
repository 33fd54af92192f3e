"""Docstrings: their examples are true, and what a function returns it "returns"."""

import ast
import doctest
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module

import pytest

from tests.process import ROOT
from tests.rows import every_row
from tests.test_architecture import FILES, nodes

#: Modules with examples.
EXEMPLARY = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in FILES
    if ">>> " in path.read_text(encoding="utf-8")
]


@every_row("module", EXEMPLARY)
def test_the_examples_of_a_module_are_true(module: str) -> None:
    result = doctest.testmod(import_module(module))

    assert (result.attempted > 0, result.failed) == (True, 0)


def test_there_are_examples() -> None:
    assert len(EXEMPLARY) > 20


@pytest.mark.slow
def test_what_a_function_returns_it_returns() -> None:
    """To answer is what is done to an HTTP request; to give is what the mapping's text does."""
    said = [
        f"{path.relative_to(ROOT)}: {docstring.splitlines()[0]}"
        for path in FILES
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module)
        and (docstring := ast.get_docstring(node))
    ]
    about_returning = [
        line for line in said if line.partition(": ")[2].startswith(("Answer", "Give", "Say whether", "Tell whether"))
    ]
    assert [line for line in about_returning if "HTTP" not in line] == []


@pytest.mark.slow
def test_a_public_method_of_several_lines_says_what_it_does_unless_it_implements_or_overrides_one() -> None:
    classes = [(path, node) for path in FILES for node in nodes(path) if isinstance(node, ast.ClassDef)]
    described = {
        function.name
        for _, owner in classes
        for function in owner.body
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(function)
    }
    silent = [
        f"{path.relative_to(ROOT)}: {owner.name}.{function.name}"
        for path, owner in classes
        if not owner.name.startswith("_")
        for function in owner.body
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if not function.name.startswith("_") and not ast.get_docstring(function)
        if function.name not in described and not overrides_a_foreign_method(owner)
        if function.body[0].lineno < (function.body[-1].end_lineno or 0)
    ]
    assert silent == []


def overrides_a_foreign_method(owner: ast.ClassDef) -> bool:
    """Whether a class has a base that app/ does not define: a library's, whose documentation describes its methods."""
    return any(ast.unparse(base).split("[")[0].split(".")[-1] not in own_classes() for base in owner.bases)


@cache
def own_classes() -> set[str]:
    return {node.name for path in FILES for node in nodes(path) if isinstance(node, ast.ClassDef)}


@pytest.mark.slow
def test_no_docstring_only_names_what_it_implements() -> None:
    """`Do X.` says less than the name."""
    hollow = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in FILES
        if "outbox" not in path.relative_to(ROOT).parts
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if re.fullmatch(r"Do `[^`]+`\.", ast.get_docstring(node) or "")
    ]
    assert hollow == []


@pytest.mark.slow
def test_the_files_and_modules_that_are_spoken_of_exist() -> None:
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in FILES
        for name in spoken_of(path.read_text(encoding="utf-8"))
        if not any((folder / name).exists() for folder in (path.parent, ROOT))
        and not (ROOT / name.removesuffix(".py") / "__init__.py").exists()
    ]
    assert missing == []


def spoken_of(text: str) -> Iterator[str]:
    """Yield the files that a text names, `judge.py`, and those of its modules, `sandbox.judge`."""
    yield from re.findall(r"[\w/]+\.py\b", text)
    for name in re.findall(r"`(?:app\.)?([a-z]\w*(?:\.\w+)+)`", text):
        *above, last = name.split(".")
        if (ROOT / "app" / above[0]).is_dir():
            yield "/".join(["app", *above, f"{last}.py"] if last.islower() else ["app", *above])


@pytest.mark.slow
def test_what_a_public_function_raises_its_docstring_says() -> None:
    """Commands outcome, and what has no docstring overrides something that has."""
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in FILES
        if path.parent.name != "commands"
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
        if (docstring := ast.get_docstring(node)) and "aise" not in docstring and raises(node)
    ]
    assert silent == []


def raises(function: ast.AST) -> bool:
    """Whether a function raises something new itself, functions within it left out."""
    return any(
        (isinstance(node, ast.Raise) and node.exc is not None)
        or (not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and raises(node))
        for node in ast.iter_child_nodes(function)
    )
