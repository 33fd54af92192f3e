"""All directives: Segment's, and a few additional ones that Pinterest's events need."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.mapping import (
    arithmetic,
    blocks,
    conditions,
    javascript,
    liquid,
    lists,
    net_amounts,
    objects,
    paths,
    product_ids,
    texts,
)
from app.mapping.compiler import Builder, Compiler

OWN_DIRECTIVES: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "@each": lists.build_each,
        "@coalesce": conditions.build_coalesce,
        "@ifEquals": conditions.build_if_equals,
        "@ifContains": conditions.build_if_contains,
        "@ifAllowed": conditions.build_if_allowed,
        "@sum": arithmetic.build_sum,
        "@subtract": arithmetic.build_subtract,
        "@multiply": arithmetic.build_multiply,
        "@atMost": arithmetic.build_at_most,
        "@withoutTax": net_amounts.build_without_tax,
        "@netAmount": net_amounts.build_net_amount,
        "@money": arithmetic.build_money,
        "@all": lists.build_all,
        "@blocks": blocks.build_blocks,
        "@queryParameter": texts.build_query_parameter,
        "@prefixed": texts.build_prefixed,
        "@productId": product_ids.build_product_id,
    }
)

DIRECTIVES: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "@path": paths.build_path,
        "@template": texts.build_template,
        "@literal": Compiler.compile,
        "@if": conditions.build_if,
        "@arrayPath": lists.build_array_path,
        "@case": texts.build_case,
        "@replace": texts.build_replace,
        "@merge": objects.build_merge,
        "@transform": objects.build_transform,
        "@flatten": objects.build_flatten,
        "@json": javascript.build_json,
        "@excludeWhenNull": objects.build_exclude_when_null,
        "@liquid": liquid.build_liquid,
        **OWN_DIRECTIVES,
    }
)
