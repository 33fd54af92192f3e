"""Pinrelay's own `@productId`: the product id that the setting CONTENT_ID selects."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from app.core.values.placeholders import is_id
from app.errors import Fault, MappingError
from app.mapping import liquid
from app.mapping.compiler import PRODUCT_ID, Compiler, json_kind
from app.mapping.nodes import MISSING, NOTHING, Call, Choice, Node
from app.mapping.paths import path_node, without_prefix

#: The members with each id of a product; the parent's id is first, for a text of several ids.
ID_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    PRODUCT_ID: ("product_id", "productId"),
    "variant_id": ("variant_id", "variantId", "variation_id", "product_variant_id"),
    "sku": ("sku", "item_sku", "product_sku"),
}
#: An id that a text prints unchanged: without the id there is no result.
_SHOWN: Final = re.compile(r"\{\{-?\s*(product_id|variant_id|sku)\s*-?\}\}")


def build_product_id(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@productId`: the id that CONTENT_ID selects; if the product has no such id, the first of `else`."""
    options = compiler.options(value, at, ("of", "else"))
    if options is None or not compiler.required(options, at, "else"):
        return NOTHING
    others = options["else"]
    if not isinstance(others, list):
        return compiler.fault(f"{at}/else", f"should be a list of values but it is {json_kind(others)}")
    product = compiler.text(options.get("of", "$"), f"{at}/of")
    usual = tuple(compiler.compile(other, f"{at}/else/{index}") for index, other in enumerate(others))
    if compiler.content_id == PRODUCT_ID or product is None:
        return compiler.context.choice(usual)
    prefix = f"{below}." if (below := without_prefix(product).removeprefix("$")) else ""
    ids = {name: _first_id(compiler, [prefix + each for each in names], at) for name, names in ID_NAMES.items()}
    if compiler.content_id in ids:
        return compiler.context.choice((*ids[compiler.content_id].options, *usual))
    ids[PRODUCT_ID] = Choice(
        options=(*ids[PRODUCT_ID].options, *usual),
        is_usable=is_id,
        about=tuple(map(compiler.context.about, (*ids[PRODUCT_ID].options, *usual))),
    )
    return compiler.context.choice((_joined(compiler, tuple(ids.values()), at), *usual))


def check_content_id(text: str) -> None:
    """Raise MappingError if CONTENT_ID is a text but not a Liquid template."""
    compiler = Compiler({}, content_id=text)
    build_product_id(compiler, {"else": []}, "")
    if compiler.faults:
        raise MappingError([Fault("", fault.message) for fault in compiler.faults])


def _first_id(compiler: Compiler, paths: list[str], at: str) -> Choice:
    nodes = tuple(Call(function=_id, operands=(path_node(compiler, path, at),), needs="all") for path in paths)
    return compiler.context.operand(is_id).choice(nodes)


def _joined(compiler: Compiler, ids: tuple[Choice, ...], at: str) -> Node:
    template = liquid.build_liquid(compiler, compiler.content_id, at)
    if not isinstance(template, Call):
        return NOTHING
    shown = frozenset(_SHOWN.findall(compiler.content_id))
    return Call(function=partial(_rendered, template.function, shown), operands=ids)


def _rendered(render: Callable[[dict[str, Any]], Any], shown: frozenset[str], *ids: Any) -> Any:
    given = {name: value for name, value in zip(ID_NAMES, ids, strict=True) if value is not MISSING}
    return render(given) if shown <= given.keys() else MISSING


def _id(value: Any) -> Any:
    """Return an id; otherwise MISSING, for example for the 0 of a product without variants."""
    return value if is_id(value) else MISSING
