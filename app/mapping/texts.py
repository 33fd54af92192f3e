"""Directives for text: `@template`, `@case`, `@replace`, and Pinrelay's own `@prefixed` and `@queryParameter`."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import unquote_plus

from app.core.values.candidates import PassedOver
from app.core.values.placeholders import says_nothing
from app.mapping.compiler import Compiler, json_kind
from app.mapping.javascript import javascript_text, text_length
from app.mapping.nodes import EVENT, MISSING, NOTHING, TOLD, About, Call, Constant, Node, note_passed_over
from app.mapping.paths import dotted_keys, not_a_text, path_node, read

MAX_TEMPLATE_CHARACTERS: Final = 5_000
#: Longer results are omitted, because no field of Pinterest accepts more.
MAX_RESULT_CHARACTERS: Final = 100_000
#: Segment's limit on `pattern` and `replacement`.
MAX_PATTERN_LENGTH: Final = 10

#: `{{{a}}}` or `{{a}}`: Segment searches for the longer form first.
_TRIPLE: Final = re.compile(r"\{\{\{([^}]+)\}\}\}")
_DOUBLE: Final = re.compile(r"\{\{([^}]+)\}\}")


def build_template(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@template`: a text with values in place of its `{{paths}}`; a directive sets the text for each event."""
    given = compiler.text_or_directive(value, at)
    if not isinstance(given, Constant) or not isinstance(given.value, str):
        return Call(function=partial(_render_dynamic, at), operands=(EVENT, given))
    if len(given.value) > MAX_TEMPLATE_CHARACTERS:
        return compiler.fault(at, f"is longer than {MAX_TEMPLATE_CHARACTERS} characters")
    nodes = tuple(
        path_node(compiler, part, at) if is_path else Constant(value=part)
        for part, is_path in template_parts(given.value)
    )
    return Call(function=_joined, operands=nodes)


def template_parts(template: str) -> list[tuple[str, bool]]:
    """Split into plain text and (with True) paths."""
    parts: list[tuple[str, bool]] = []
    for position, outer in enumerate(_TRIPLE.split(template)):
        if position % 2:
            parts.append((outer.strip(), True))
            continue
        for inner_position, inner in enumerate(_DOUBLE.split(outer)):
            is_path = inner_position % 2 == 1
            parts.append((inner.strip() if is_path else inner, is_path))
    return [part for part in parts if part != ("", False)]


def _joined(*values: Any) -> Any:
    result = "".join(map(javascript_text, values))
    return result if len(result) <= MAX_RESULT_CHARACTERS else MISSING


def _render_dynamic(at: str, event: Any, template: Any) -> Any:
    if not isinstance(template, str):
        raise not_a_text(at, template)
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        return MISSING
    return _joined(*(_read(event, part) if is_path else part for part, is_path in template_parts(template)))


def _read(event: Any, path: str) -> Any:
    try:
        keys = dotted_keys(path)
    except ValueError:
        keys = None
    return MISSING if keys is None else read(event, keys)


def build_case(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@case`: a text in upper or lower case; other values pass unchanged."""
    options = compiler.options(value, at, ("operator", "value"))
    if options is None or not compiler.required(options, at, "operator"):
        return NOTHING
    operator = compiler.one_of(options["operator"], f"{at}/operator", ("lower", "upper"))
    given = compiler.text_or_directive(options.get("value", ""), f"{at}/value")
    if given == Constant(value=""):
        return NOTHING
    return Call(function=_lower if operator == "lower" else _upper, operands=(given,), needs="all")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


_REPLACE_KEYS: Final = ("value", "pattern", "replacement", "pattern2", "replacement2", "ignorecase", "global")


def build_replace(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@replace`: a text with plain texts replaced by others; numbers and booleans are read as text."""
    options = compiler.options(value, at, _REPLACE_KEYS)
    if options is None or not compiler.required(options, at, "value") or not compiler.required(options, at, "pattern"):
        return NOTHING
    given = compiler.text_or_directive(options["value"], f"{at}/value")
    texts = {key: _short_text(compiler, options.get(key, ""), f"{at}/{key}") for key in _REPLACE_KEYS[1:5]}
    if options["pattern"] == "":
        compiler.fault(f"{at}/pattern", "should not be empty")
    flags = {key: _flag(compiler, options, at, key) for key in _REPLACE_KEYS[5:]}
    if given == Constant(value=""):
        return NOTHING
    case = re.IGNORECASE if flags["ignorecase"] else re.NOFLAG
    count = 0 if flags.get("global") is not False else 1
    replacers = [
        partial(_replaced, re.compile(re.escape(texts[pattern]), case), texts[replacement], count)
        for pattern, replacement in (("pattern", "replacement"), ("pattern2", "replacement2"))
        if texts[pattern]
    ]
    return Call(function=partial(_replace, replacers), operands=(given,))


def _short_text(compiler: Compiler, value: Any, at: str) -> str:
    text = compiler.text(value, at)
    if text is not None and text_length(text) > MAX_PATTERN_LENGTH:
        compiler.fault(at, f"is longer than {MAX_PATTERN_LENGTH} characters")
    return text or ""


def _flag(compiler: Compiler, options: dict[str, Any], at: str, key: str) -> bool | None:
    flag = options.get(key)
    if key in options and not isinstance(flag, bool):
        compiler.fault(f"{at}/{key}", f"should be true or false but it is {json_kind(flag)}")
    return flag


def _replace(replacers: Sequence[Callable[[str], str]], value: Any) -> Any:
    if not isinstance(value, str | bool | int | float):
        return ""
    text = javascript_text(value)
    for replacer in replacers:
        text = replacer(text)
        if len(text) > MAX_RESULT_CHARACTERS:
            return MISSING
    return text


def _replaced(pattern: re.Pattern[str], replacement: str, count: int, text: str) -> str:
    """Replace an escaped pattern. Without alternatives or repetition it cannot backtrack.

    Stops soon after the limit is exceeded, because `$'` can make the text grow quadratically.
    """
    pieces: list[str] = []
    position = length = 0
    for found in pattern.finditer(text):
        pieces += [text[position : found.start()], _expanded(replacement, found)]
        position = found.end()
        length += len(pieces[-1])
        if len(pieces) == 2 * count or length > MAX_RESULT_CHARACTERS:
            break
    return "".join([*pieces, text[position:]])


def _expanded(replacement: str, found: re.Match[str]) -> str:
    """Fill in JavaScript's `$$`, `$&` (the match), $` (the text before) and $' (the text after)."""
    if "$" not in replacement:
        return replacement
    parts = {"$": "$", "&": found[0], "`": found.string[: found.start()], "'": found.string[found.end() :]}
    return re.sub("\\$([$&`'])", lambda special: parts[special[1]], replacement)


def build_prefixed(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@prefixed`: a text that starts with `prefix`, without the prefix if `drop` is true; otherwise missing."""
    options = compiler.options(value, at, ("value", "prefix", "drop"))
    if options is None or not compiler.required(options, at, "value") or not compiler.required(options, at, "prefix"):
        return NOTHING
    given = compiler.text_or_directive(options["value"], f"{at}/value")
    prefix = compiler.text(options["prefix"], f"{at}/prefix") or ""
    drops = _flag(compiler, options, at, "drop")
    cut = partial(_prefixed, prefix, len(prefix) if drops else 0)
    return Call(function=cut, operands=(given,), needs="all", marks=(prefix,) if prefix else ())


def _prefixed(prefix: str, start: int, value: Any) -> Any:
    if not isinstance(value, str):
        return MISSING
    text = value if value.startswith(prefix) else value.strip()
    return text[start:] if text.startswith(prefix) else MISSING


MAX_ADDRESS_CHARACTERS: Final = 8_000


def build_query_parameter(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@queryParameter`: a parameter of a full address, or of a query alone ("?a=b", "a=b")."""
    options = compiler.options(value, at, ("url", "name"))
    if options is None or not compiler.required(options, at, "url") or not compiler.required(options, at, "name"):
        return NOTHING
    url = compiler.text_or_directive(options["url"], f"{at}/url")
    name = compiler.text(options["name"], f"{at}/name")
    about = compiler.context.operand(why="an address is expected").about(url)
    marks = (name, "%") if name else ()
    return Call(function=partial(_parameter, name or "", about), operands=(TOLD, url), needs="all", marks=marks)


def _parameter(name: str, about: About, told: list[PassedOver], url: Any) -> Any:
    """Return the first non-empty value of the parameter, decoded as in forms (`+` is a blank)."""
    if not isinstance(url, str) or says_nothing(url):
        if url is not MISSING:
            note_passed_over(told, about, url)
        return MISSING
    if (name not in url and "%" not in url) or len(url) > MAX_ADDRESS_CHARACTERS:
        return MISSING
    before, _, query = url.partition("#")[0].partition("?")
    for pair in (query or before).split("&"):
        key, _, value = pair.partition("=")
        if value and (key if key.isalnum() else unquote_plus(key)) == name:
            return unquote_plus(value)
    return MISSING
