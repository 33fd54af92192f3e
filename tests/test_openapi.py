"""The OpenAPI document tells all: whatever is asked of any operation is answered as documented, and never by a 5xx."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis.strategies import one_of
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth

from tests.process import Server, running
from tests.rounds import examples

pytestmark = pytest.mark.whole

PASSWORD = "console-password-9b1c"
EXAMPLES_AN_OPERATION = examples(15)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("openapi"), console_password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="module")
def described(served: Server) -> Any:
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    # Every request is given the password: one that is meant to be bad for want of it would be good.
    schema.config.generation.update(with_security_parameters=False)
    return schema


@pytest.mark.prove
def test_every_answer_is_documented_and_none_is_a_server_error(described: Any, subtests: pytest.Subtests) -> None:
    for found in described.get_all_operations():
        operation = found.ok()
        with subtests.test(operation.label):
            _ask(operation)


def _ask(operation: Any) -> None:
    """Ask one operation for all sorts of things, good and bad, with the checks of schemathesis on."""

    @given(case=one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)))
    @hypothesis.settings(
        max_examples=EXAMPLES_AN_OPERATION, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    def ask(case: Any) -> None:
        # Whoever tries wrong tokens is soon told to wait (429), where the check expects 401 for ever.
        case.call_and_validate(headers={"Authorization": f"Bearer {PASSWORD}"}, excluded_checks=[ignored_auth])

    ask()
