"""The examples in the docstrings of the base modules are true."""

import doctest
from types import ModuleType

import pytest

from app.values import amounts, flags


@pytest.mark.parametrize("module", [flags, amounts], ids=lambda module: module.__name__)
def test_the_examples_of_a_module_are_true(module: ModuleType) -> None:
    result = doctest.testmod(module)

    assert (result.attempted > 0, result.failed) == (True, 0)
