"""Generated feeds in each format that Pinterest takes."""

import gzip
from collections.abc import Sequence
from xml.sax.saxutils import escape

#: The id of an item and of its group; None: it has none.
Items = Sequence[tuple[str, str | None]]
FORMATS = ["rss", "rss g:", "atom", "tsv", "csv"]


def feed_of(items: Items, form: str, *, packed: bool = False) -> bytes:
    """Return a feed of these items."""
    text = _rows(items, "\t" if form == "tsv" else ",") if form in {"tsv", "csv"} else _xml(items, form)
    data = text.encode()
    return gzip.compress(data) if packed else data


def _rows(items: Items, delimiter: str) -> str:
    lines = [delimiter.join(["title", "id", "item_group_id", "price"])]
    lines += [delimiter.join(['"A ""big"" stool,\tof\noak"', item, group or "", "3 EUR"]) for item, group in items]
    return "\n".join(lines) + "\n"


def _xml(items: Items, form: str) -> str:
    g = "g:" if form != "rss" else ""
    one, head, foot = ("item", '<rss xmlns:g="u" version="2.0"><channel><id>of the shop</id>', "</channel></rss>")
    if form == "atom":
        one, head, foot = "entry", '<feed xmlns:g="u">', "</feed>"
    made = []
    for item, group in items:
        address = "<id>https://shop.example/p</id>" if form == "atom" else ""
        of_group = f"<item_group_id>{escape(group)}</item_group_id>" if group else ""
        made.append(
            f"<{one}><title>A &lt;b&gt; &amp; c</title><{g}id> {escape(item)} </{g}id>{address}{of_group}"
            f"<shipping><{g}id>no id of the item</{g}id></shipping></{one}>"
        )
    return f'<?xml version="1.0"?>{head}{"".join(made)}{foot}'
