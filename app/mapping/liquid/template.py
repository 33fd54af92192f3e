"""Compile and render the templates of `@liquid`."""

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, TextIO

from liquid import BoundTemplate, Environment, Node, RenderContext
from liquid.builtin.expressions import FilteredExpression
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.output import LimitedStringIO

from app.mapping.compiler import Compiler, suggestion
from app.mapping.javascript import javascript_text, member, text_length
from app.mapping.liquid import liquid_syntax
from app.mapping.liquid.filters import DISABLED_FILTERS, FILTERS
from app.mapping.liquid.values import MAX_SIZE, plain
from app.mapping.nodes import EVENT, MISSING, NOTHING, Call, Constant
from app.mapping.nodes import Node as MappingNode

#: Segment's limit.
MAX_LIQUID_CHARACTERS: Final = 1_000

#: Tags that Segment disables, and tags of python-liquid that LiquidJS does not have.
_DISABLED_TAGS: Final = ("case", "for", "include", "layout", "render", "tablerow", "ifchanged", "doc", "block")


class _Context(RenderContext):
    def get_buffer(self, buf: TextIO | None = None) -> LimitedStringIO:
        """Return a stream that does not change line ends: python-liquid's own writes CR and CRLF as LF."""
        written = buf.size if isinstance(buf, LimitedStringIO) else 0
        return LimitedStringIO(MAX_SIZE - written, newline="")

    def get_item(self, obj: Any, key: Any) -> Any:
        """Return a member as LiquidJS does: only lists have a first, a last and items from the end.

        Raises KeyError if there is no such member.
        """
        value, name = plain(obj) if isinstance(obj, range) else obj, javascript_text(plain(key))
        if isinstance(value, list):
            position = {"first": 0, "last": -1}.get(name, key)
            if isinstance(position, int) and -len(value) <= position < len(value):
                return value[position]
        if isinstance(value, str | list | dict) and name == "size" and not (isinstance(value, dict) and name in value):
            return text_length(value) if isinstance(value, str) else len(value)
        found = member(value, name) if value and isinstance(value, str | list | dict) else MISSING
        if found is MISSING:
            raise KeyError(name)
        return found


class _LiquidJs(Environment):
    logical_not_operator = True
    suppress_blank_control_flow_blocks = False
    output_stream_limit = MAX_SIZE
    local_namespace_limit = 10 * MAX_SIZE
    block_nesting_limit = 30

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for tag in (
            liquid_syntax.Output,
            liquid_syntax.Echo,
            liquid_syntax.Assign,
            liquid_syntax.Break,
            liquid_syntax.Continue,
        ):
            self.add_tag(tag)
        for name in _DISABLED_TAGS:
            self.add_tag(liquid_syntax.disabled(name))
        self.filters.clear()
        self.filters.update(FILTERS)


_LIQUID: Final = _LiquidJs()


def build_template_node(compiler: Compiler, value: Any, at: str) -> MappingNode:
    """Return the node of a template, and record its faults."""
    text = compiler.text(value, at)
    if text is None:
        return NOTHING
    if len(text) > MAX_LIQUID_CHARACTERS:
        return compiler.fault(at, f"is longer than {MAX_LIQUID_CHARACTERS} characters")
    try:
        template = _LIQUID.from_string(liquid_syntax.without_escaped_quotes(text))
    except (LiquidError, RecursionError) as error:
        return compiler.fault(at, f"is no Liquid template: {_words(error)}")
    for expression in _expressions(template):
        liquid_syntax.coerce_comparisons(expression)
        liquid_syntax.read_escapes(expression)
        if isinstance(expression, FilteredExpression):
            _check_filters(compiler, expression, at)
    if not text:
        return Constant(value="")
    paths = tuple(template.global_variable_paths())
    return Call(function=partial(_rendered, template), operands=(EVENT,), looks_up=paths)


def _words(error: Exception) -> str:
    """Return the first line of an error; the other lines show the template."""
    return str(error).partition("\n")[0] or type(error).__name__


def _expressions(template: BoundTemplate) -> Iterator[Expression]:
    """Yield all expressions of a template, each before its inner expressions, which it may still change."""
    context = RenderContext(template)
    for node in template.nodes:
        for expression in _of_node(node, context):
            yield from _nested(expression)


def _of_node(node: Node, context: RenderContext) -> Iterator[Expression]:
    yield from node.expressions()
    for child in node.children(context):
        yield from _of_node(child, context)


def _nested(expression: Expression) -> Iterator[Expression]:
    yield expression
    for child in expression.children():
        yield from _nested(child)


def _check_filters(compiler: Compiler, expression: FilteredExpression, at: str) -> None:
    for used in expression.filters or ():
        if used.name in DISABLED_FILTERS:
            compiler.fault(at, f"uses the filter {used.name!r}, which cannot be used in mappings")
        elif used.name not in FILTERS:
            compiler.fault(at, f"uses an unknown filter {used.name!r}{suggestion(used.name, FILTERS)}")
        else:
            _check_arguments(compiler, used, at)


def _check_arguments(compiler: Compiler, used: Any, at: str) -> None:
    names = [getattr(argument, "name", None) for argument in used.args]
    try:
        inspect.signature(FILTERS[used.name]).bind(
            "", *[None for name in names if not name], **{name: None for name in names if name}
        )
    except TypeError as error:
        compiler.fault(at, f"gives the filter {used.name!r} the wrong arguments: {error}")


def _rendered(template: BoundTemplate, event: Any) -> Any:
    """Render a template; MISSING if rendering fails or exceeds the limits, so that only this field is omitted."""
    context = _Context(template, globals=event if isinstance(event, dict) else {})
    text = context.get_buffer()
    try:
        template.render_with_context(context, text)
    except LiquidError:
        return MISSING
    return text.getvalue()
