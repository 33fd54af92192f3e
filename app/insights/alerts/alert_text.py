"""Alerts as plain text: names in them come from strangers, and what shows an alert may read markup.

Slack reads `<!channel>`, `<https://evil.example|our console>`, `*bold*`, `:emoji:`; Teams and Mattermost read Markdown,
HTML and `@all`; mail reads HTML, and a line end ends its subject.

Slack: https://docs.slack.dev/messaging/formatting-message-text (escaping text)
Markdown: https://spec.commonmark.org/0.31.2/
"""

import re
from typing import Final

from app.core.values.texts import visible

#: The first three are escaped alike for Slack, Markdown and HTML. Of the others each has its own escape, or none, so a
#: character that looks alike and means nothing takes their place.
_PLAIN: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'", "*": "\u2217", "~": "\u223c", "|": "\u00a6"}
    | {"[": "(", "]": ")", "@": "\uff20", "#": "\uff03"}
)
#: An underscore within a name, as in `order_completed`, marks nothing.
_UNDERSCORE: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
#: Colons that make a link or an emoji of a text.
_COLON: Final = re.compile(r":(?=//|[\w+'-]*[^\W\d][\w+'-]*:)|(?<=mailto):|(?<=tel):", re.IGNORECASE)


def alert_text(text: str, public_url: str = "") -> str:
    """Return a text as one line in which nothing is markup or a link, but a link to our console at its end.

    >>> alert_text("<!channel> [Sale](https://x.example) from web_shop https://p.example/console/a?b=1&c=2")
    '&lt;!channel&gt; (Sale)(https\u2236//x.example) from web_shop https\u2236//p.example/console/a?b=1&amp;c=2'
    >>> alert_text("from web_shop https://p.example/console/a?b=1&c=2", "https://p.example")
    'from web_shop https://p.example/console/a?b=1&amp;c=2'
    """
    told, link = visible(text), ""
    own = re.search(rf"(?<= ){re.escape(public_url)}/console/[a-z/]+\?[\w.%+=&~-]+$", told, re.ASCII)
    if public_url and own:
        told, link = told[: own.start()], own[0].replace("&", "&amp;").replace("~", "%7E")
    return _COLON.sub("\u2236", _UNDERSCORE.sub("\u02cd", told.translate(_PLAIN))) + link
