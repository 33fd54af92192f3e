"""Our own `@queryParameter`: one parameter of a web address, such as Pinterest's click id `epik`."""

from functools import partial
from typing import Any, Final
from urllib.parse import unquote_plus

from app.core.values.candidates import PassedOver
from app.core.values.placeholders import says_nothing
from app.mapping.compiler import Compiler
from app.mapping.nodes import MISSING, NOTHING, TOLD, About, Call, Node, note_passed_over

MAX_ADDRESS_CHARACTERS: Final = 8_000


def build_query_parameter(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@queryParameter`: one parameter of a whole address, or only of its query ("?a=b", "a=b")."""
    options = compiler.options(value, at, ("url", "name"))
    if options is None or not compiler.required(options, at, "url") or not compiler.required(options, at, "name"):
        return NOTHING
    url = compiler.text_or_directive(options["url"], f"{at}/url")
    name = compiler.text(options["name"], f"{at}/name")
    about = compiler.context.operand(why="an address is expected").about(url)
    marks = (name, "%") if name else ()
    return Call(function=partial(_parameter, name or "", about), operands=(TOLD, url), needs="all", marks=marks)


def _parameter(name: str, about: About, told: list[PassedOver], url: Any) -> Any:
    """Return the first value of the parameter that is not empty, decoded as forms are (`+` is a blank)."""
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
