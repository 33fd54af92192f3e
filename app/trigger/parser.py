"""Read the text of a trigger, by the grammar that docs/triggers.md explains.

trigger    = term { ("and" term)* | ("or" term)* }
term       = [ "!" | "not" ] "(" trigger ")" | [ "!" | "not" ] function | comparison
function   = ("contains" | "match") "(" field "," value ")"
comparison = field ("=" | "!=" | "<" | "<=" | ">" | ">=") value
"""

from typing import NoReturn, get_args

from app.errors import TriggerError
from app.trigger import syntax
from app.trigger.scanner import Kind, Token, did_you_mean, double_of, next_token, quote, unknown_field, unquoted

MAX_CHARACTERS = 65_536
#: Maximum depth of nested parentheses.
MAX_PARENTHESES_DEPTH = 50
#: Each call reads the whole text of a field, and events can contain long texts.
MAX_FUNCTION_CALLS = 500

_FUNCTIONS: dict[str, syntax.FunctionName] = {name: name for name in get_args(syntax.FunctionName)}
_OPERATORS: dict[str, syntax.Operator] = {operator: operator for operator in get_args(syntax.Operator)}
_JOINERS: dict[str, syntax.Joiner] = {joiner: joiner for joiner in get_args(syntax.Joiner)}
_CONSTANTS = {"true": True, "false": False, "null": None}
_ORDERED = ("<", "<=", ">", ">=")


def parse_trigger(text: str, fields: syntax.Readable) -> syntax.Term:
    """Parse a trigger on these fields. Raises TriggerError at the leftmost mistake."""
    if len(text) > MAX_CHARACTERS:
        message = f"the trigger is {len(text)} characters long, at most {MAX_CHARACTERS} are read: split the preset."
        raise TriggerError(message, MAX_CHARACTERS + 1)
    return _Parser(text, fields).whole()


class _Parser:
    """A single pass over a text. Every method consumes exactly the tokens of its result."""

    def __init__(self, text: str, fields: syntax.Readable) -> None:
        self._text = text
        self._fields = fields
        self._ahead: Token | None = None
        #: Offset after the last consumed token.
        self._end = 0
        self._depth = 0
        self._calls = 0

    def whole(self) -> syntax.Term:
        if self._peek().kind is Kind.END:
            raise TriggerError('the trigger is empty: write a condition such as type = "track".', 1)
        term = self._trigger()
        if self._peek().kind is not Kind.END:
            self._refuse_rest(self._peek())
        return term

    # Tokens

    def _peek(self) -> Token:
        if self._ahead is None:
            self._ahead = next_token(self._text, self._end)
        return self._ahead

    def _take(self) -> Token:
        token = self._peek()
        self._ahead, self._end = None, token.end
        return token

    def _take_mark(self, mark: str, *, of: str) -> None:
        token = self._take()
        if token.kind is not Kind.MARK or token.text != mark:
            message = f'{of} is written {of}(field, "text"): a {mark} is expected here, not {_shown(token)}.'
            raise TriggerError(message, token.column)

    def _next_is(self, *marks: str) -> bool:
        token = self._peek()
        return token.kind is Kind.MARK and token.text in marks

    def _since(self, column: int) -> str:
        return self._text[column - 1 : self._end]

    # Terms

    def _trigger(self) -> syntax.Term:
        column = self._peek().column
        terms = [self._term()]
        joiner: syntax.Joiner | None = None
        while self._peek().is_word(*_JOINERS):
            token = self._take()
            found = _JOINERS[token.text.lower()]
            if joiner not in (None, found):
                message = 'put parentheses around the part that belongs together: "and" and "or" are not mixed.'
                raise TriggerError(message, token.column)
            joiner = found
            terms.append(self._term())
        if joiner is None:
            return terms[0]
        return syntax.Group(joiner=joiner, terms=tuple(terms), text=self._since(column), column=column)

    def _term(self) -> syntax.Term:
        token = self._peek()
        if self._next_is("!") or token.is_word("not"):
            return self._negated()
        if self._next_is("("):
            return self._parenthesised()
        if token.kind is not Kind.WORD or token.is_word(*_JOINERS, *_CONSTANTS):
            message = f'a condition such as type = "track" is expected here, not {_shown(token)}.'
            raise TriggerError(message, token.column)
        if token.text in _FUNCTIONS:
            return self._call(token.column, negated=False)
        return self._comparison()

    def _negated(self) -> syntax.Term:
        column = self._take().column
        if self._next_is("("):
            term = self._parenthesised()
            return syntax.Negation(term=term, text=self._since(column), column=column)
        token = self._peek()
        if token.text in _FUNCTIONS:
            return self._call(column, negated=True)
        if self._next_is("!") or token.is_word("not"):
            raise TriggerError("two negations in a row: remove one.", token.column)
        raise TriggerError(
            "negate a comparison by != or in parentheses: not (field = value).",
            token.column,
        )

    def _parenthesised(self) -> syntax.Term:
        opening = self._take()
        self._depth += 1
        if self._depth > MAX_PARENTHESES_DEPTH:
            raise TriggerError(
                f"parentheses are nested too deep: use at most {MAX_PARENTHESES_DEPTH} levels.", opening.column
            )
        if self._next_is(")"):
            raise TriggerError("these parentheses are empty: put a condition in them or remove them.", opening.column)
        term = self._trigger()
        if self._peek().kind is Kind.END:
            raise TriggerError("this parenthesis is never closed: add its ).", opening.column)
        if not self._next_is(")"):
            self._refuse_rest(self._peek())
        self._take()
        self._depth -= 1
        return term

    # Conditions

    def _call(self, column: int, *, negated: bool) -> syntax.FunctionCall:
        name = self._take().text
        self._calls += 1
        if self._calls > MAX_FUNCTION_CALLS:
            message = f"the trigger calls contains and match more than {MAX_FUNCTION_CALLS} times: split the preset."
            raise TriggerError(message, column)
        self._take_mark("(", of=name)
        field = self._field()
        self._take_mark(",", of=name)
        argument = self._argument(name)
        self._take_mark(")", of=name)
        return syntax.FunctionCall(
            function=_FUNCTIONS[name],
            field=field,
            argument=argument,
            negated=negated,
            text=self._since(column),
            column=column,
        )

    def _argument(self, name: str) -> str:
        token = self._peek()
        value = self._value()
        if value.value is None:
            raise TriggerError(f"{name} needs text, not null: write field = null.", token.column)
        return value.value if isinstance(value.value, str) else value.written

    def _comparison(self) -> syntax.Comparison:
        column = self._peek().column
        field = self._field()
        operator = self._operator()
        token = self._peek()
        value = self._value()
        if operator in _ORDERED:
            value = _number_for(operator, value, token)
        return syntax.Comparison(field=field, operator=operator, value=value, text=self._since(column), column=column)

    def _operator(self) -> syntax.Operator:
        token = self._peek()
        if token.kind is not Kind.MARK or token.text not in _OPERATORS:
            raise TriggerError(f"= != < <= > or >= is expected here, not {_shown(token)}.", token.column)
        return _OPERATORS[self._take().text]

    def _field(self) -> syntax.Field:
        token = self._take()
        if token.kind is not Kind.WORD:
            raise TriggerError(f"a field is expected here, not {_shown(token)}.", token.column)
        root = str(token.value)
        if root in self._fields.flat and token.path:
            raise TriggerError(f"{root} is one value and has nothing inside: write {root}.", token.column)
        if root in self._fields.nested and not token.path:
            raise TriggerError(f"{root} is an object: say which of its keys, {root}.key.", token.column)
        if root not in self._fields.flat and root not in self._fields.nested:
            raise TriggerError(self._unknown(token), token.column)
        return syntax.Field(root=root, path=token.path)

    def _unknown(self, token: Token) -> str:
        if token.text in _FUNCTIONS:
            return f"a field is expected here, not {token.text}: a function cannot be inside another."
        if self._text[token.end :].lstrip().startswith("("):
            name = quote(token.text)
            return f"there is no function {name}.{did_you_mean(token.text, *_FUNCTIONS)} There are contains and match."
        return unknown_field(str(token.value), self._fields)

    def _value(self) -> syntax.Value:
        token = self._take()
        if token.kind in (Kind.TEXT, Kind.NUMBER):
            return syntax.Value(value=token.value, written=token.text)
        if token.is_word(*_CONSTANTS):
            return syntax.Value(value=_CONSTANTS[token.text.lower()], written=token.text)
        if token.kind is Kind.WORD:
            raise TriggerError(unquoted(token.text), token.column)
        raise TriggerError(
            f"a text, a number, true, false or null is expected here, not {_shown(token)}.", token.column
        )

    # Mistakes after a complete condition

    def _refuse_rest(self, token: Token) -> NoReturn:
        if self._next_is(")"):
            raise TriggerError("this parenthesis was never opened: remove it or add its (.", token.column)
        hint = did_you_mean(token.text, *_JOINERS) if token.kind is Kind.WORD else ""
        message = f'conditions are joined by "and" or by "or": {_shown(token)} cannot follow here.{hint}'
        raise TriggerError(message, token.column)


def _number_for(operator: syntax.Operator, value: syntax.Value, token: Token) -> syntax.Value:
    number = double_of(value.value) if isinstance(value.value, str) else value.value
    if not isinstance(number, float):
        raise TriggerError(f"{operator} compares numbers: {quote(token.text)} is not one.", token.column)
    return syntax.Value(value=number, written=value.written)


def _shown(token: Token) -> str:
    return "the end of the trigger" if token.kind is Kind.END else quote(token.text)
