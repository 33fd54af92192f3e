"""What holds for any mapping and any event."""

import copy
import json
from decimal import Decimal, localcontext
from functools import reduce
from operator import mul, sub
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonpath_ng.ext.parser import parse

from app.errors import Fault, MappingError
from app.mapping import compile_mapping
from app.mapping.directives import DIRECTIVES
from tests.mapping.strategies import EVENTS, JSON, KEYS, MAPPED, unhurried

#: Plain amounts, with hundredths and with more decimals than that.
AMOUNTS = st.one_of(
    st.integers(-3, 10**9 + 1),
    st.sampled_from([0.0001, 0.29, 1.005, 19.98, 2.5, -3.5, 999_999_999.99, "19.98", "007", "0.00", "12345678901.12"]),
)


@unhurried
@given(value=MAPPED, event=EVENTS)
def test_the_explanation_shows_what_resolves(value: Any, event: dict[str, Any]) -> None:
    mapping = compile_mapping({"out": [value]})

    explained = {explanation.path: explanation.value for explanation in mapping.explain(event)}

    assert repr(explained) == repr(mapping.resolve(event))


@unhurried
@given(value=MAPPED, event=EVENTS)
def test_resolving_changes_neither_mapping_nor_event_and_repeats_itself(value: Any, event: dict[str, Any]) -> None:
    given_mapping, given_event = copy.deepcopy(value), copy.deepcopy(event)
    mapping = compile_mapping({"out": value})

    first, second = mapping.resolve(event), mapping.resolve(event)

    assert repr(first) == repr(second)
    assert (value, event) == (given_mapping, given_event)


@unhurried
@given(below=st.dictionaries(KEYS, MAPPED, max_size=4), above=st.dictionaries(KEYS, MAPPED, max_size=2), event=EVENTS)
def test_what_is_taken_from_the_mapping_below_is_what_would_be_compiled(
    below: dict[str, Any], above: dict[str, Any], event: dict[str, Any]
) -> None:
    laid_over = {"out": {**below, **above}, "same": below}
    like = compile_mapping({"out": below, "same": below})

    given_it, alone = compile_mapping(laid_over, like=like), compile_mapping(laid_over)

    assert repr(given_it.resolve(event)) == repr(alone.resolve(event))
    assert given_it.explain(event) == alone.explain(event)


@unhurried
@given(event=EVENTS, value=MAPPED)
def test_what_comes_out_is_json(event: dict[str, Any], value: Any) -> None:
    resolved = compile_mapping({"out": value}).resolve(event)

    assert json.loads(json.dumps(resolved)) == resolved


@unhurried
@given(name=st.sampled_from([*DIRECTIVES, "@unknown"]), options=JSON, event=EVENTS)
def test_any_options_compile_or_are_faults(name: str, options: Any, event: dict[str, Any]) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        compile_mapping({"out": {name: options}}).resolve(event)
    except MappingError as error:
        faults = error.faults

    assert all(fault.path.startswith("/out") and fault.message for fault in faults)


CHAINS = st.lists(st.sampled_from([".a", ".b", ".c", "[*]", "[0]", "[-1]", ".*", '["a.b"]']), min_size=1, max_size=4)


@unhurried
@given(chain=CHAINS, event=EVENTS)
def test_a_chain_with_wildcards_gives_what_jsonpath_gives(chain: list[str], event: dict[str, Any]) -> None:
    path = "$" + "".join([*chain, "[*]"])

    resolved = compile_mapping({"out": {"@path": path}}).resolve(event).get("out", [])

    assert resolved == [match.value for match in parse(path).find(event)]


@pytest.mark.parametrize(
    ("directive", "combine"),
    [("@sum", sum), ("@subtract", lambda n: reduce(sub, n)), ("@multiply", lambda n: reduce(mul, n)), ("@atMost", min)],
)
@unhurried
@given(values=st.lists(AMOUNTS, min_size=2, max_size=6))
def test_arithmetic_of_plain_numbers_is_exact(directive: str, combine: Any, values: list[Any]) -> None:
    values = values[:2] if directive == "@atMost" else values
    with localcontext(prec=60):
        expected = combine([Decimal(str(value)) for value in values])
    ((_, made),) = compile_mapping({"out": {directive: values}}).resolve({}).items()

    assert Decimal(made) == expected
    assert made == (f"{expected:f}".rstrip("0").rstrip(".") if "." in f"{expected:f}" else f"{expected:f}")
