"""Differences between the template syntax of LiquidJS and python-liquid.

Expressions with operators are allowed in output and assignments, comparisons coerce as in JavaScript, texts have
escapes, `break` ends the template, and Segment disables the tags that loop or load.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

from liquid import Node, RenderContext, Tag, TokenStream
from liquid.builtin.expressions import FilteredExpression, Identifier, Nil, parse_identifier, tokenize
from liquid.builtin.expressions.filtered import Filter
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LtExpression,
    NeExpression,
    parse_boolean_primitive,
)
from liquid.builtin.expressions.primitive import Blank, StringLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.exceptions import LiquidSyntaxError, StopRender
from liquid.expression import Expression
from liquid.token import TOKEN_ASSIGN, TOKEN_EOF, TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_PIPE, TOKEN_TAG, Token
from liquid.undefined import Undefined

from app.mapping.liquid.values import liquid_text, number_or_nan, plain

_TAG = re.compile(r"(?P<raw>\{%-?\s*raw\b.*?\bendraw\b)|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_BACKSLASH = re.compile(r"\\(.)", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{1,4})|(.))", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse_value(env: Any, tokens: TokenStream) -> FilteredExpression:
    """Parse `a == b | filter`: an expression with operators, then filters."""
    left = parse_boolean_primitive(env, tokens)
    filters = Filter.parse(env, tokens, delim=(TOKEN_PIPE,))
    tokens.eat(TOKEN_EOF)
    return FilteredExpression(left.token, left, filters)


class _JavaScriptOutput(OutputNode):
    """Output that writes values as JavaScript does."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(liquid_text(plain(self.expression.evaluate(context))))


class Output(Tag):
    """The tag `{{ ... }}`."""

    name = TOKEN_OUTPUT
    block = False

    def parse(self, stream: TokenStream) -> Node:
        """Parse the tokens of an output."""
        token = stream.eat(TOKEN_OUTPUT)
        inner = stream.expect(TOKEN_EXPRESSION)
        return _JavaScriptOutput(token, parse_value(self.env, TokenStream(tokenize(inner.value, inner))))


class Echo(Tag):
    """The tag `{% echo ... %}`."""

    name = "echo"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        """Parse the tokens of a tag."""
        token = stream.eat(TOKEN_TAG)
        return _JavaScriptOutput(token, parse_value(self.env, stream.into_inner(tag=token, eat=False)))


class Assign(Tag):
    """`{% assign name = ... %}`."""

    name = "assign"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        """Parse the tokens of a tag."""
        token = stream.eat(TOKEN_TAG)
        tokens = stream.into_inner(tag=token, eat=False)
        name: Identifier = parse_identifier(self.env, tokens, allow_trailing_question_mark=False)
        tokens.eat(TOKEN_ASSIGN)
        return AssignNode(token, name=name, expression=parse_value(self.env, tokens))


class _StopNode(Node):
    def render_to_output(self, _context: RenderContext, _buffer: TextIO) -> NoReturn:
        raise StopRender


class Break(Tag):
    """`{% break %}`: ends the template, because there are no loops."""

    name = "break"
    block = False

    def parse(self, stream: TokenStream) -> Node:
        """Parse the tokens of a tag."""
        return _StopNode(stream.eat(TOKEN_TAG))


class Continue(Break):
    """`{% continue %}`, which ends the template too."""

    name = "continue"


def disabled(tag: str) -> type[Tag]:
    """Return a tag that fails to parse, because Segment disables it."""

    class Disabled(Tag):
        name = tag

        def parse(self, stream: TokenStream) -> Node:
            raise LiquidSyntaxError(f"the tag {tag!r} cannot be used in mappings", token=stream.current)

    return Disabled


class _Side(Expression):
    """An operand of a comparison, converted to fit the other operand."""

    def __init__(self, token: Token, own: Expression, prepare: Callable[[RenderContext], Any]) -> None:
        super().__init__(token)
        self._own = own
        self._prepare = prepare

    def evaluate(self, context: RenderContext) -> Any:
        return self._prepare(context)

    def children(self) -> list[Expression]:
        return [self._own]


def without_escaped_quotes(template: str) -> str:
    r"""Replace `\"` within a tag with `\u0022`, because python-liquid would read it as the end of a text.

    >>> without_escaped_quotes('\\"{{ "say \\"hi\\"" }}')
    '\\"{{ "say \\u0022hi\\u0022" }}'
    """
    return _TAG.sub(lambda tag: tag[0] if tag["raw"] else _BACKSLASH.sub(_as_code, tag[0]), template)


def _as_code(escape: re.Match[str]) -> str:
    return f"\\u{ord(escape[1]):04x}" if escape[1] in "\"'" else escape[0]


def read_escapes(expression: Any) -> None:
    r"""Convert escapes in a template: `"\n"` to a line end, and `"\u00e9"` to an é."""
    if isinstance(expression, StringLiteral) and "\\" in expression.value:
        read = _ESCAPE.sub(
            lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2]), expression.value
        )
        expression.value = read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # an emoji is two escapes


def coerce_comparisons(expression: Any) -> None:
    """Compare numbers in `"42" > 5`, and let `5 contains 1` be false.

    Only changes the expression itself, not those within it.
    """
    if isinstance(expression, GtExpression | GeExpression | LtExpression | LeExpression):
        left, right = expression.left, expression.right
        expression.left = _Side(left.token, left, lambda context: _comparable(left, right, context))
        expression.right = _Side(right.token, right, lambda context: _comparable(right, left, context))
    elif isinstance(expression, EqExpression | NeExpression) and isinstance(expression.right, Blank):
        compared = expression.left
        expression.left = _Side(compared.token, compared, lambda context: _or_blank(compared.evaluate(context)))
    elif isinstance(expression, ContainsExpression):
        within = expression.left
        expression.left = _Side(within.token, within, lambda context: _searchable(within.evaluate(context)))


def _comparable(own: Expression, other: Expression, context: RenderContext) -> Any:
    """Return a text if both operands are texts, otherwise a number. `None`, if neither, fails every comparison."""
    value, against = own.evaluate(context), other.evaluate(context)
    if isinstance(own, Nil) or (isinstance(value, str) and isinstance(against, str)):
        return value
    found = number_or_nan(plain(value))
    return None if math.isnan(found) else found


def _or_blank(value: Any) -> Any:
    """Return a value that equals `blank` for null and false, as in LiquidJS."""
    return "" if value is None or value is False or isinstance(value, Undefined) else value


def _searchable(value: Any) -> Any:
    return value if isinstance(value, str | list) else None
