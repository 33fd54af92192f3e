# ruff: noqa: RUF001 - what looks alike is meant
"""What Slack, Teams and mail make of the names of strangers: nothing."""

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.events import EventKey, Outcome
from app.core.values.texts import visible
from app.insights.alerts.by_name import link, list_link
from app.insights.alerts.watcher import alert_text
from tests.rounds import examples
from tests.rows import every_row

PUBLIC = "https://pinrelay.example"
#: What any of them reads as markup, as a mention or as a link.
MARKUP = re.compile(
    r"[<>`*~|\[\]@#\x00-\x1f\x7f-\x9f\u2028\u2029]|&(?!(?:amp|lt|gt);)|\w://|(?:mailto|tel):"
    r"|(?<![^\W_])_|_(?![^\W_])|:[\w+'-]*[^\W\d][\w+'-]*:",
    re.IGNORECASE,
)
NAMES = (
    "<!channel> <!here|x> <@U1> <https://evil.example|console> &lt; &amp;lt; *b* _i_ __ ~s~ `c` ``` order_completed # >"
    " [a](https://evil.example) ![x](y) <img/src=x> </b> @channel @all :skull: :+1: 10:05:33 mailto:a@b.example tel:1"
    f" http:// javascript:alert(1) {PUBLIC}/console/a?b=c"
)
BREAKS = ("a\nSubject: b", "\r\n\r\n", "\x1b[31m", "\u202e", f" {PUBLIC}/console/", " ")
PIECES = st.sampled_from([*NAMES.split(), *BREAKS])
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=6).map("".join)


@every_row(
    ("text", "shown"),
    [
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;＠U1&gt;"),
        ("<https://evil.example|our console>", "&lt;https∶//evil.example¦our console&gt;"),
        ("[our console](https://evil.example)", "(our console)(https∶//evil.example)"),
        ("*Sale* _now_ ~not~ `x`", "∗Sale∗ ˍnowˍ ∼not∼ 'x'"),
        ("order_completed from web-shop: 20 of 40 (50%), at 10:05:33 UTC.", None),
        ("Grüße, 世界 👍", None),
        (":skull: a::b", "∶skull: a::b"),
        (":`c`:", "∶'c':"),
        ("Sale\nSubject: x\r\n", r"Sale\nSubject: x\r\n"),
        ("ok\u202egnp", r"ok\u202egnp"),
    ],
)
def test_markup_is_escaped_and_plain_text_stays(text: str, shown: str | None) -> None:
    assert alert_text(text) == (text if shown is None else shown)


@pytest.mark.slow
@given(TEXTS, st.sampled_from(["", PUBLIC]))
@settings(max_examples=examples(600))
def test_nothing_is_markup_whatever_the_names_are(text: str, public_url: str) -> None:
    shown = alert_text(text, public_url)
    link = re.search(rf" ({PUBLIC}/console/\S*)$", shown, re.ASCII) if public_url else None
    if link and "∶" not in link[1]:  # our own, to the letter
        assert unescape(link[1]).replace("%7E", "~") in text.replace("%7E", "~")
        shown = shown[: link.start(1)]
    assert MARKUP.findall(shown) == []
    assert len(shown.splitlines()) <= 1


@given(st.text("abcÄ-. (),%=", max_size=20), st.text(max_size=9), st.text(max_size=9))
@settings(max_examples=examples(200))
def test_links_to_our_console_stay_links(told: str, source: str, name: str) -> None:
    key = EventKey(source=source, type="track", name=name)
    for address in (link(PUBLIC, key), list_link(PUBLIC, key, Outcome.INVALID, 3_600)):
        shown = alert_text(f"{told}{address}", PUBLIC)
        assert unescape(shown) == f"{told}{address}".replace("~", "%7E")


@pytest.mark.slow
def test_every_character_is_plain_by_itself_and_between_others() -> None:
    every = [chr(code) for code in range(0x110000)]
    assert MARKUP.findall(alert_text(" ".join(every))) == []
    assert MARKUP.findall(alert_text("a".join(every))) == []
    letters = [each for each in every if each.isalnum()]
    assert alert_text("".join(letters)) == "".join(each for each in map(visible, letters))
