"""Draw JSON values, events, and mappings that compile."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

#: A busy machine is no fault.
unhurried = settings(deadline=None)

KEYS = st.sampled_from(["a", "b", "c", "0", "1", "a.b", "length", ""])
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", " ", "a", "A-b", "19.98", "1,299.00", "?a=1&b=%20x", "2026-02-03", '{"a":[1]}', "{{a}}"]),
    st.text(max_size=8),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
EVENTS = st.dictionaries(KEYS, JSON, max_size=5)

PATHS = st.sampled_from(
    ["a", "$.a.b", "b.c.a", "a[0]", "a[*].b", "a.b[*]", '$["a.b"]', "$.", "c[-1]", "a.length", "a[?(@.b > 1)]", "$..c"]
)


def _objects(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(members)


def _directives(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    shape = st.dictionaries(KEYS, inner, max_size=3)
    options: dict[str, st.SearchStrategy[Any]] = {
        "@if": _objects(exists=PATHS.map(lambda path: {"@path": path}), then=inner) | _objects(blank=shape, then=inner),
        "@coalesce": st.lists(inner, max_size=4),
        "@ifEquals": st.fixed_dictionaries(
            {"value": inner, "equals": st.sampled_from(["a", 1, True])}, optional={"else": inner}
        ),
        "@ifAllowed": st.fixed_dictionaries({"value": inner}, optional={"then": inner, "else": inner}),
        "@arrayPath": st.tuples(PATHS, shape).map(list),
        "@merge": _objects(direction=st.sampled_from(["left", "right"]), objects=st.lists(shape, max_size=2)),
        "@transform": _objects(apply=shape, mapping=shape),
        "@flatten": _objects(value=inner, separator=st.just(".")),
        "@excludeWhenNull": inner,
        "@sum": st.lists(inner, min_size=1, max_size=3),
        "@multiply": st.lists(inner, min_size=1, max_size=3),
        "@atMost": st.lists(inner, min_size=2, max_size=2),
        "@productId": _objects(of=PATHS, **{"else": st.lists(inner, max_size=3)}),
        "@template": st.sampled_from(["{{a}}-{{{b.c}}}", "{{a[0]}}", "plain"]),
        "@liquid": st.sampled_from(["{{ a | upcase }}", "{% if a > 1 %}{{ b }}{% endif %}", "{{ a | json }}"]),
    }
    return st.one_of([st.fixed_dictionaries({name: value}) for name, value in options.items()])


MAPPED: st.SearchStrategy[Any] = st.recursive(
    PATHS.map(lambda path: {"@path": path}) | SCALARS,
    lambda inner: st.one_of(
        _directives(inner),
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["x", "y", "z"]), inner, max_size=3),
    ),
    max_leaves=10,
)
