"""The examples in the docstrings of the room are true."""

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import app.mapping

MODULES = [
    importlib.import_module(module.name) for module in pkgutil.walk_packages(app.mapping.__path__, "app.mapping.")
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_examples_of_a_module_are_true(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_there_are_examples() -> None:
    assert sum(doctest.testmod(module).attempted for module in MODULES) > 5
