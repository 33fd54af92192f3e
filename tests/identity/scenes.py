"""The rules of identity memory in short scenes: what happens, and what memory has for the last event.

Numbers are those of the rules in docs/memory.md.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from tests.identity.build import RULES, Erasure, Step, identify, no, public, says, withheld, yes

Scene: TypeAlias = tuple[str, Sequence[Step], dict[str, Any]]

SCENES: list[Scene] = [
    # 1, 2: what is remembered
    *(
        (
            f"1: what a `{kind}` says is remembered",
            [says(0, kind, user="ann", em="e", ph="p", ge="g", db="d"), says(1, user="ann")],
            {"em": "e", "ph": "p", "ge": "g", "db": "d"},
        )
        for kind in ("track", "page", "screen", "identify", "alias")
    ),
    ("1: the traits of a group are a company's", [says(0, "group", user="ann", em="info"), says(1, user="ann")], {}),
    (
        "1: a group links nevertheless",
        [identify(0, user="ann", em="e"), says(1, "group", user="ann", anon="x", em="info"), says(2, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "1: what is no type of Segment's is not remembered",
        [says(0, "custom", user="ann", em="e"), says(1, user="ann")],
        {},
    ),
    (
        "1: and links nothing",
        [identify(0, user="ann", em="e"), says(1, "custom", user="ann", anon="x"), says(2, anon="x")],
        {},
    ),
    (
        "2: a newer observation replaces the whole group",
        [identify(0, user="ann", fn="f", ln="l"), identify(1, user="ann", fn="g"), says(2, user="ann")],
        {"name": "g"},
    ),
    (
        "2: a part that is known renews the whole",
        [identify(0, user="ann", fn="f", ln="l"), identify(80, user="ann", fn="f"), says(160, user="ann")],
        {"name": {"fn": "f", "ln": "l"}},
    ),
    (
        "2: more than is known replaces it",
        [identify(0, user="ann", fn="f"), identify(1, user="ann", fn="f", ln="l"), says(2, user="ann")],
        {"name": {"fn": "f", "ln": "l"}},
    ),
    (
        "2: an older observation changes nothing",
        [identify(2, user="ann", em="new"), identify(1, user="ann", em="old"), says(3, user="ann")],
        {"em": "new"},
    ),
    (
        "2: an older one of the same does not make it older",
        [identify(80, user="ann", em="e"), identify(0, user="ann", em="e"), says(160, user="ann")],
        {"em": "e"},
    ),
    (
        "2: of two of the same moment the later in order counts",
        [identify(0, user="ann", em="e"), identify(0, user="ann", em="f"), says(1, user="ann")],
        {"em": "f"},
    ),
    (
        "2: the same values in another order only renew",
        [
            identify(0, user="ann", ct=["a", "b"], zp="z"),
            identify(1, user="ann", ct=["b", "a"]),
            says(2, user="ann"),
        ],
        {"place": {"ct": ["a", "b"], "zp": "z"}},
    ),
    (
        "2: groups are replaced one by one",
        [identify(0, user="ann", em="e", ph="p"), identify(1, user="ann", em="f"), says(2, user="ann")],
        {"em": "f", "ph": "p"},
    ),
    (
        "2: an address is one group",
        [identify(0, user="ann", ct="c", country="de"), identify(1, user="ann", st="s"), says(2, user="ann")],
        {"place": "s"},
    ),
    # 4: where it belongs
    (
        "4: a person's groups are the user's, where the event has one",
        [says(0, user="ann", anon="x", em="e"), says(1, user="ann")],
        {"em": "e"},
    ),
    (
        "4: else the browser's",
        [says(0, anon="x", em="e", fn="f", ct="c"), says(9, anon="x")],
        {"em": "e", "name": "f", "place": "c"},
    ),
    (
        "4: after the session the browser does not have what its user said",
        [says(0, user="ann", anon="x", em="e", ph="p"), says(8, anon="x")],
        {},
    ),
    (
        "4: clicks and devices are the browser's, where the event has one",
        [
            says(0, user="ann", anon="x", click_id="c", hashed_maids="m"),
            says(50, anon="x", may_use_device=True),
        ],
        {"click": "c", "device": "m"},
    ),
    ("4: else the user's", [says(0, user="ann", click_id="c"), says(1, user="ann")], {"click": "c"}),
    (
        "4: a browser knows nothing of another",
        [says(0, anon="x", em="e", click_id="c"), says(1, anon="y")],
        {},
    ),
    # 5: links
    (
        "5: both ids link",
        [identify(0, user="ann", em="e"), says(1, user="ann", anon="x"), says(2, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "5: the newest link counts",
        [
            identify(0, user="ann", em="e"),
            identify(0, user="bob", em="f"),
            says(1, user="ann", anon="x"),
            says(2, user="bob", anon="x"),
            says(3, anon="x"),
        ],
        {"em": "f", "external_id": "bob"},
    ),
    (
        "5: a late older link changes nothing",
        [
            identify(0, user="ann", em="e"),
            says(2, user="ann", anon="x", click_id="c"),
            says(1, user="bob", anon="x"),
            says(3, anon="x"),
        ],
        {"em": "e", "external_id": "ann", "click": "c"},
    ),
    (
        "5: a late link of the same user does not make the link older",
        [says(8, user="ann", anon="x", em="e"), says(0, user="ann", anon="x"), says(14, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "5: the previous id of an alias is a user to whom only browsers lead",
        [
            says(0, "group", user="old", anon="x"),
            says(1, "alias", user="new", previous="old"),
            identify(2, user="new", em="e"),
            says(3, user="old"),
        ],
        {"em": "e"},
    ),
    (
        "5: but not one of whom everything is too old",
        [identify(0, user="old", em="e"), says(91, "alias", user="new", previous="old"), says(92, anon="old")],
        {"external_id": "new"},
    ),
    (
        "6: a late click that names no user is the browser's",
        [identify(3, user="bob", anon="x"), says(1, anon="x", click_id="c"), says(4, user="bob", anon="x")],
        {"click": "c"},
    ),
    (
        "9: an address under the newer name counts for as long as it is remembered",
        [
            identify(0, user="bob", em="e"),
            says(80, user="ann"),
            says(92, "alias", user="bob", previous="ann"),
            says(90, user="ann", em="other"),
            says(93, user="bob"),
        ],
        {},
    ),
    (
        "9: and no longer",
        [
            identify(0, user="bob", em="e"),
            says(80, user="ann"),
            says(92, "alias", user="bob", previous="ann"),
            says(91, user="ann", em="other"),
            says(93, user="bob"),
        ],
        {"em": "other"},
    ),
    (
        "6: a late device of the user before stays the browser's",
        [
            identify(0, user="ann", anon="x"),
            identify(3, user="bob", anon="x"),
            says(1, user="ann", anon="x", hashed_maids="m"),
            says(4, anon="x", may_use_device=True),
        ],
        {"device": "m", "external_id": "bob"},
    ),
    (
        "6: a late click of the user before does not reach the next",
        [
            identify(0, user="ann", anon="x"),
            identify(3, user="bob", anon="x"),
            says(1, user="ann", anon="x", click_id="c"),
            says(4, user="bob", anon="x"),
        ],
        {},
    ),
    (
        "6: a late click of the same user under an older name does",
        [
            identify(0, user="ann", anon="x"),
            says(2, "alias", user="bob", previous="ann"),
            identify(3, user="bob", anon="x"),
            says(1, user="ann", anon="x", click_id="c"),
            says(4, user="bob", anon="x"),
        ],
        {"click": "c"},
    ),
    (
        "9: somebody else's address that comes late under an older name is not remembered",
        [
            identify(50, user="ann", em="e"),
            says(53, "alias", user="bob", previous="ann"),
            says(51, user="ann", em="other", ph="p"),
            says(54, user="bob"),
        ],
        {"em": "e"},
    ),
    (
        "5: of two links of the same moment the later in order counts",
        [
            identify(0, user="bob", em="f"),
            says(1, user="ann", anon="x"),
            says(1, user="bob", anon="x"),
            says(2, anon="x"),
        ],
        {"em": "f", "external_id": "bob"},
    ),
    (
        "5: an alias links the previous anonymous id",
        [says(0, anon="x", em="e", click_id="c"), says(1, "alias", user="ann", previous="x"), says(2, user="ann")],
        {"em": "e", "click": "c"},
    ),
    (
        "5: whose the previous id is does not hang on the mark that the same alias lifts",
        [
            identify(0, user="ann", anon="x"),
            no(90, anon="x"),
            says(100, "alias", user="bob", previous="ann", is_opt_in=True),
            identify(101, user="ann", em="e"),
            says(102, user="bob"),
        ],
        {"em": "e"},
    ),
    (
        "5: nor on the link that the same alias, an opt-out, takes away",
        [
            says(0, "group", user="ann", anon="x"),
            no(1, "alias", user="bob", anon="x", previous="ann"),
            identify(2, user="ann", em="e"),
            says(3, user="ann"),
        ],
        {},
    ),
    (
        "5: an alias links the previous user where one is known",
        [
            identify(0, user="ann", em="e"),
            says(0, anon="ann", em="f"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, user="bob"),
        ],
        {"em": "e"},
    ),
    (
        "5: a user who is known by a link only is known",
        [
            says(0, "alias", user="bob", previous="ann"),
            says(1, anon="ann", em="e"),
            says(2, "alias", user="cay", previous="bob"),
            says(3, user="cay"),
        ],
        {},
    ),
    (
        "5: a user whom nothing is known of any more is none",
        [
            identify(0, user="ann", em="e"),
            says(99, anon="ann", em="f"),
            says(100, "alias", user="bob", previous="ann"),
            says(101, user="bob"),
        ],
        {"em": "f"},
    ),
    (
        "5: a user who opted out is known",
        [
            no(0, user="ann"),
            says(1, anon="ann", em="f"),
            says(2, "alias", user="bob", previous="ann"),
            says(3, user="bob"),
        ],
        {},
    ),
    (
        "5: an alias of a name to itself is none",
        [identify(0, user="ann", em="e"), says(1, "alias", user="ann", previous="ann"), says(2, user="ann")],
        {"em": "e"},
    ),
    (
        "5: an alias of a name to itself links the anonymous id of that name, also where it lifts the user's mark",
        [
            no(0, user="ann"),
            says(1, anon="ann", em="e"),
            says(2, "alias", user="ann", previous="ann", is_opt_in=True, em=["f", "g"]),
            says(3, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "5: an alias links the anonymous id beside the previous one",
        [identify(0, user="ann", em="e"), says(1, "alias", user="ann", anon="x", previous="y"), says(2, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "5: a chain leads to its end",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, "alias", user="cay", previous="bob"),
            identify(3, user="cay", em="e"),
            says(4, anon="x"),
        ],
        {"em": "e", "external_id": "cay", "click": "c"},
    ),
    (
        "5: a user's old name is the user",
        [
            identify(0, user="ann", em="e"),
            says(1, "alias", user="bob", previous="ann"),
            identify(2, user="ann", ph="p"),
            says(3, user="bob"),
        ],
        {"em": "e", "ph": "p"},
    ),
    (
        "5: and is told by it",
        [identify(0, user="ann", em="e"), says(1, "alias", user="bob", previous="ann"), says(2, user="ann")],
        {"em": "e"},
    ),
    (
        "5: eight steps are followed",
        [
            *(says(0, user=f"u{number}") for number in range(9)),
            *(says(1, "alias", user=f"u{number}", previous=f"u{number - 1}") for number in range(1, 9)),
            identify(2, user="u8", em="e"),
            says(3, user="u0"),
        ],
        {"em": "e"},
    ),
    (
        "5: nine are not",
        [
            *(says(0, user=f"u{number}") for number in range(10)),
            *(says(1, "alias", user=f"u{number}", previous=f"u{number - 1}") for number in range(1, 10)),
            identify(2, user="u9", em="e"),
            says(3, user="u0"),
        ],
        {},
    ),
    (
        "5: a circle is cut where it would close",
        [
            identify(0, user="ann", em="e"),
            identify(0, user="bob", ph="p"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, "alias", user="ann", previous="bob"),
            says(3, user="ann"),
        ],
        {"em": "e", "ph": "p"},
    ),
    (
        "5: and both names lead to the same user",
        [
            identify(0, user="ann", em="e"),
            identify(0, user="bob", ph="p"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, "alias", user="ann", previous="bob"),
            says(3, user="bob"),
        ],
        {"em": "e", "ph": "p"},
    ),
    (
        "5: of a circle of three all names lead to the same user",
        [
            identify(0, user="ann", em="e"),
            identify(0, user="bob", ph="p"),
            identify(0, user="cay", fn="f"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, "alias", user="cay", previous="bob"),
            says(3, "alias", user="ann", previous="cay"),
            says(4, user="ann"),
        ],
        {"em": "e", "ph": "p", "name": "f"},
    ),
    # 6: what a link moves
    (
        "6: the first link moves what the browser knew to the user",
        [says(0, anon="x", em="e"), says(1, user="ann", anon="x"), says(50, user="ann")],
        {"em": "e"},
    ),
    (
        "6: with its age",
        [says(0, anon="x", em="e"), says(80, user="ann", anon="x"), says(91, user="ann")],
        {},
    ),
    (
        "6: where it is newer than the user's",
        [
            identify(0, user="ann", em="old", ph="p"),
            says(1, anon="x", em="new"),
            says(2, user="ann", anon="x"),
            says(3, user="ann"),
        ],
        {"em": "new", "ph": "p"},
    ),
    (
        "6: not where it is older",
        [
            says(0, anon="x", em="old"),
            identify(1, user="ann", em="new"),
            says(2, user="ann", anon="x"),
            says(3, user="ann"),
        ],
        {"em": "new"},
    ),
    (
        "6: nor where it is as old",
        [
            says(0, anon="x", em="x"),
            identify(0, user="ann", em="e"),
            says(2, user="ann", anon="x"),
            says(3, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "6: nothing of it stays with the browser",
        [
            says(0, anon="x", em="old"),
            identify(1, user="ann", em="new"),
            says(2, user="ann", anon="x"),
            says(10, anon="x"),
        ],
        {},
    ),
    (
        "6: clicks and devices stay",
        [
            says(0, anon="x", click_id="c", hashed_maids="m"),
            says(1, user="ann", anon="x"),
            says(10, anon="x", may_use_device=True),
        ],
        {"click": "c", "device": "m"},
    ),
    (
        "6: what is too old is not moved",
        [says(0, anon="x", em="old"), says(91, user="ann", anon="x"), says(80, user="ann")],
        {},
    ),
    (
        "6: what is exactly as old as may be is moved",
        [says(0, anon="x", em="e"), says(90, user="ann", anon="x"), says(80, user="ann")],
        {"em": "e"},
    ),
    (
        "6: a second link of the same user moves nothing",
        [says(0, user="ann", anon="x"), says(1, anon="x", em="e"), says(2, user="ann", anon="x"), says(3, user="ann")],
        {},
    ),
    (
        "6: a shared device: the second user gets nothing of the first",
        [
            identify(0, user="ann", anon="x", em="e", ph="p", click_id="c"),
            says(1, anon="x", ge="g", click_id="d"),
            says(2, user="bob", anon="x"),
        ],
        {},
    ),
    (
        "6: nor does the browser have it any more",
        [
            identify(0, user="ann", anon="x", em="e"),
            says(1, anon="x", ge="g", click_id="d"),
            says(2, user="bob", anon="x"),
            says(20, anon="x"),
        ],
        {},
    ),
    (
        "6: nor when the first comes back",
        [
            identify(0, user="ann", anon="x", em="e"),
            says(1, anon="x", ge="g", click_id="d"),
            says(2, user="bob", anon="x"),
            says(3, user="ann", anon="x"),
        ],
        {"em": "e"},
    ),
    (
        "6: the device stays",
        [
            says(0, user="ann", anon="x", hashed_maids="m"),
            says(1, user="bob", anon="x"),
            says(2, anon="x", may_use_device=True),
        ],
        {"device": "m", "external_id": "bob"},
    ),
    (
        "6: what the second user clicks is the second user's",
        [says(0, user="ann", anon="x"), says(1, user="bob", anon="x", click_id="c"), says(2, user="bob", anon="x")],
        {"click": "c"},
    ),
    (
        "6: another name of the same user is no other user",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, user="bob", anon="x"),
        ],
        {"click": "c"},
    ),
    (
        "6: a link that is too old is forgotten, and the next is the first",
        [
            says(0, user="ann", anon="x"),
            says(91, anon="x", em="e", click_id="c"),
            says(92, user="bob", anon="x"),
        ],
        {"em": "e", "click": "c"},
    ),
    (
        "6: one of exactly that age is not",
        [
            says(0, user="ann", anon="x"),
            says(89, anon="x", em="e", click_id="c"),
            says(90, user="bob", anon="x"),
        ],
        {},
    ),
    (
        "6: what is moved goes to the end of the chain",
        [
            says(0, user="ann"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, anon="x", em="e"),
            says(3, user="ann", anon="x"),
            says(4, user="bob"),
        ],
        {"em": "e"},
    ),
    # 8: whose an event is
    (
        "8: an event without a user is the linked user's for seven days",
        [says(0, user="ann", anon="x", em="e"), says(7, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    ("8: and no longer", [says(0, user="ann", anon="x", em="e"), says(7.001, anon="x")], {}),
    (
        "8: from the last time that the link was observed",
        [says(0, user="ann", anon="x", em="e"), says(5, user="ann", anon="x"), says(12, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "8: not before it was observed",
        [identify(0, user="ann", em="e"), says(2, user="ann", anon="x"), says(1, anon="x")],
        {},
    ),
    (
        "8: an event with a user is that user's, whoever the browser was linked to",
        [says(0, user="ann", anon="x", em="e"), identify(0, user="bob", em="f"), says(1, user="bob", anon="x")],
        {"em": "f"},
    ),
    # 9: what the event says
    (
        "9: what the event says wins",
        [says(0, anon="x", click_id="c", ge="g"), says(1, anon="x", click_id="d")],
        {"ge": "g"},
    ),
    (
        "9: a group is filled only where the event has none of its members",
        [identify(0, user="ann", fn="f", ln="l", ct="c"), says(1, user="ann", fn="f")],
        {"place": "c"},
    ),
    *(
        (
            f"9: where the own `{own}` differs, no group of the person is filled",
            [
                identify(0, user="ann", em="e", ph="p", ge="g", db="d", fn="f", ct="c"),
                says(1, user="ann", **{own: "other"}),
            ],
            {},
        )
        for own in ("em", "ph")
    ),
    (
        "9: nor remembered",
        [identify(0, user="ann", em="e"), says(1, user="ann", em="other", ge="g", fn="f"), says(2, user="ann")],
        {"em": "e"},
    ),
    (
        "9: but clicks and devices are",
        [
            identify(0, user="ann", em="e"),
            says(1, user="ann", anon="x", em="other", click_id="c", hashed_maids="m"),
            says(2, user="ann", anon="x", em="other", may_use_device=True),
        ],
        {"click": "c", "device": "m"},
    ),
    (
        "9: of a user and a browser the newest tells them apart",
        [
            says(0, user="ann", anon="x"),
            says(1, anon="x", em="old"),
            identify(2, user="ann", em="new", ge="g"),
            says(3, anon="x", em="new"),
        ],
        {"ge": "g", "external_id": "ann"},
    ),
    (
        "9: an equal one changes nothing of this",
        [identify(0, user="ann", em="e", ge="g"), says(1, user="ann", em="e")],
        {"ge": "g"},
    ),
    (
        "9: nor does one where none is remembered",
        [identify(0, user="ann", em="e"), says(1, user="ann", ph="p"), says(2, user="ann")],
        {"em": "e", "ph": "p"},
    ),
    (
        "9: an identify may differ",
        [identify(0, user="ann", em="e", ge="g"), identify(1, user="ann", em="f"), says(2, user="ann")],
        {"em": "f", "ge": "g"},
    ),
    (
        "9: and is completed",
        [identify(0, user="ann", em="e", ge="g"), identify(1, user="ann", em="f")],
        {"ge": "g"},
    ),
    (
        "9: what is too old tells nobody apart",
        [identify(0, user="ann", em="e"), identify(50, user="ann", ge="g"), says(91, user="ann", em="f")],
        {"ge": "g"},
    ),
    (
        "9: the newest counts, be it newer than the event",
        [identify(0, user="ann", ge="g"), identify(2, user="ann", em="e"), says(1, user="ann", em="f")],
        {},
    ),
    (
        "9: the newest of user and browser counts",
        [
            identify(0, user="ann", anon="x", em="e", ge="g"),
            identify(1, anon="x", em="f"),
            says(2, anon="x", em="e"),
        ],
        {"external_id": "ann"},
    ),
    # 10: whose facts
    (
        "10: without a user the browser's own counts too, by group the newest",
        [
            identify(0, user="ann", anon="x", em="e", ph="p", ge="g"),
            identify(1, anon="x", em="f"),
            says(2, anon="x"),
        ],
        {"em": "f", "ph": "p", "ge": "g", "external_id": "ann"},
    ),
    (
        "10: the user's where it is newer",
        [
            says(0, user="ann", anon="x"),
            identify(1, anon="x", em="f"),
            identify(2, user="ann", em="e"),
            says(3, anon="x"),
        ],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "10: with a user it does not",
        [
            identify(0, user="ann", anon="x", em="e"),
            identify(1, anon="x", em="f", ge="g"),
            says(2, user="ann", anon="x"),
        ],
        {"em": "e"},
    ),
    (
        "10: a click comes from the event's browser",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(1, user="ann", anon="y", click_id="d"),
            says(2, user="ann", anon="x"),
        ],
        {"click": "c"},
    ),
    (
        "10: else the newest of the user's browsers",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(2, user="ann", anon="y", click_id="d"),
            says(1, user="ann", anon="z", click_id="e"),
            says(3, user="ann", anon="new"),
        ],
        {"click": "d"},
    ),
    (
        "10: or of the user",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(1, user="ann", click_id="d"),
            says(2, user="ann"),
        ],
        {"click": "d"},
    ),
    (
        "10: also for an event without a user",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(1, user="ann", anon="y"),
            says(2, anon="y"),
        ],
        {"click": "c", "external_id": "ann"},
    ),
    (
        "10: not once the session is over",
        [says(0, user="ann", anon="x", click_id="c"), says(1, user="ann", anon="y"), says(9, anon="y")],
        {},
    ),
    (
        "10: not from a browser whose link is too old",
        [
            says(0, user="ann", anon="x"),
            says(50, anon="x", click_id="c"),
            says(91, user="ann"),
        ],
        {},
    ),
    (
        "10: not from a browser that was linked after the event",
        [says(0, anon="x", click_id="c"), says(2, user="ann", anon="x"), says(1, user="ann")],
        {},
    ),
    (
        "10: nor from one that is another's by now",
        [
            says(0, user="ann", anon="x"),
            says(1, user="bob", anon="x", click_id="c"),
            says(2, user="ann"),
        ],
        {},
    ),
    (
        "10: also from browsers of the user's other names",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, user="bob"),
        ],
        {"click": "c"},
    ),
    (
        "10: a device comes from the event's browser only",
        [
            says(0, user="ann", anon="x", hashed_maids="m"),
            says(0, user="ann", hashed_maids="n"),
            says(1, user="ann", anon="y", may_use_device=True),
        ],
        {},
    ),
    (
        "10: the browser's click counts, where it has one that is not too old",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(50, user="ann", anon="y", click_id="d"),
            says(61, user="ann", anon="x"),
        ],
        {"click": "d"},
    ),
    # 11: the user's own id
    (
        "11: an event without a user gets the digest of its user's id",
        [says(0, user="ann", anon="x"), says(1, anon="x")],
        {"external_id": "ann"},
    ),
    (
        "11: nor that of another name of the user's",
        [
            says(0, user="old"),
            says(1, "alias", user="ann", previous="old"),
            says(2, user="old"),
            says(3, user="ann", anon="x", external_id=""),
            says(4, anon="x"),
        ],
        {"external_id": "ann"},
    ),
    ("11: an event with a user does not", [says(0, user="ann"), says(1, user="ann", external_id="")], {}),
    (
        "11: what it is known by is what was sent last",
        [says(0, user="ann", anon="x", external_id="old"), says(1, user="ann", external_id="new"), says(2, anon="x")],
        {"external_id": "new"},
    ),
    (
        "11: it is told of an alias's new name",
        [says(0, user="ann", anon="x"), says(1, "alias", user="bob", previous="ann"), says(2, anon="x")],
        {"external_id": "bob"},
    ),
    # 12: only what was observed by then
    ("12: an order never carries a later click", [says(1, anon="x", click_id="c"), says(0, anon="x")], {}),
    ("12: one of the same moment it does", [says(0, anon="x", click_id="c"), says(0, anon="x")], {"click": "c"}),
    ("12: nor a later address", [identify(1, user="ann", em="e"), says(0, user="ann")], {}),
    (
        "12: nor what is of a user whom it was linked to later",
        [
            identify(0, user="bob", em="e"),
            says(0, user="ann"),
            says(2, "alias", user="bob", previous="ann"),
            says(1, user="ann"),
        ],
        {},
    ),
    # 13: several people
    *(
        (
            f"13: an event with two values of `{name}` is not filled",
            [
                says(0, user="ann", anon="x", ge="g", click_id="c"),
                says(1, user="ann", anon="x", **dict[str, Any]({name: ["e", "f"]})),
            ],
            {},
        )
        for name in ("em", "ph", "external_id")
    ),
    (
        "13: nor remembered",
        [says(0, user="ann", anon="x", em=["e", "f"], ge="g", click_id="c"), says(1, user="ann", anon="x")],
        {},
    ),
    (
        "13: but links",
        [identify(0, user="ann", em="e"), says(1, user="ann", anon="x", em=["e", "f"]), says(2, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "13: two values of anything else are of one person",
        [identify(0, user="ann", fn=["f", "g"]), says(1, user="ann")],
        {"name": ["f", "g"]},
    ),
    # 14: what is withheld
    ("14: what is withheld is not filled", [says(0, anon="x", click_id="c"), withheld(1, anon="x")], {}),
    ("14: nor remembered", [withheld(0, anon="x", click_id="c"), says(1, anon="x")], {}),
    (
        "14: and links nothing",
        [identify(0, user="ann", em="e"), withheld(1, user="ann", anon="x"), says(2, anon="x")],
        {},
    ),
    (
        "14: it removes a link to another user",
        [says(0, user="ann", anon="x", em="e"), withheld(1, user="bob", anon="x"), says(2, anon="x")],
        {},
    ),
    (
        "14: by an alias, too",
        [says(0, user="ann", anon="x", em="e"), withheld(1, "alias", user="bob", previous="x"), says(2, anon="x")],
        {},
    ),
    (
        "14: not one to its own user",
        [says(0, user="ann", anon="x", em="e"), withheld(1, user="ann", anon="x"), says(2, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "14: nor to another name of that",
        [
            says(0, user="ann", anon="x", em="e"),
            says(1, "alias", user="bob", previous="ann"),
            withheld(2, user="bob", anon="x"),
            says(3, anon="x"),
        ],
        {"em": "e", "external_id": "bob"},
    ),
    (
        "14: nor a newer one",
        [says(1, user="ann", anon="x", em="e"), withheld(0, user="bob", anon="x"), says(2, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "14: one of the same moment it does",
        [says(1, user="ann", anon="x", em="e"), withheld(1, user="bob", anon="x"), says(2, anon="x")],
        {},
    ),
    (
        "14: nor where it names none",
        [says(0, user="ann", anon="x", em="e"), withheld(1, anon="x"), says(2, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "14: whoever comes after a removed link is another user",
        [
            says(0, user="ann", anon="x", em="e", click_id="c"),
            says(1, anon="x", ge="g"),
            withheld(2, user="bob", anon="x"),
            says(3, user="bob", anon="x"),
        ],
        {},
    ),
    (
        "14: and the first user the same",
        [
            says(0, user="ann", anon="x", em="e", click_id="c"),
            withheld(2, user="bob", anon="x"),
            says(3, user="ann", anon="x"),
        ],
        {"em": "e", "click": "c"},
    ),
    (
        "14: a removed link is not followed to other browsers either",
        [
            says(0, user="ann", anon="x", click_id="c"),
            withheld(1, user="bob", anon="x"),
            says(2, user="ann"),
        ],
        {},
    ),
    (
        "14: a late link does not bring it back",
        [
            says(0, user="ann", anon="x", em="e"),
            withheld(2, user="bob", anon="x"),
            says(1, user="ann", anon="x"),
            says(3, anon="x"),
        ],
        {},
    ),
    (
        "14: a device needs permission to be filled",
        [says(0, anon="x", hashed_maids="m"), says(1, anon="x")],
        {},
    ),
    # 15: an opt-out
    *(
        (
            f"15: an opt-out erases what its {name} holds",
            [says(0, **ids, ge="g", click_id="c"), no(1, **ids), yes(2, **ids), says(3, **ids)],
            {},
        )
        for name, ids in (("user", {"user": "ann"}), ("browser", {"anon": "x"}))
    ),
    *(
        (
            f"15: and marks the {name}: nothing is remembered",
            [no(0, **ids), says(1, **ids, click_id="c"), yes(2, **ids), says(3, **ids)],
            {},
        )
        for name, ids in (("user", {"user": "ann"}), ("browser", {"anon": "x"}))
    ),
    (
        "15: an opt-out of a browser closes its user",
        [
            says(0, user="ann", anon="x", em="e"),
            no(1, anon="x"),
            says(2, user="ann", click_id="c"),
            says(3, user="ann"),
        ],
        {},
    ),
    (
        "15: and all browsers of that user",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(0, user="ann", anon="y", click_id="d"),
            no(1, anon="x"),
            says(2, anon="y", ge="g"),
            says(3, anon="y"),
        ],
        {},
    ),
    (
        "15: an opt-out of a user closes the browsers",
        [says(0, user="ann", anon="x", click_id="c"), no(1, user="ann"), says(2, anon="x", ge="g"), says(3, anon="x")],
        {},
    ),
    (
        "15: and the user's other names, from the old to the new",
        [
            identify(0, user="ann", em="e"),
            says(1, "alias", user="bob", previous="ann"),
            no(2, user="ann"),
            identify(3, user="bob", ph="p"),
            says(4, user="bob"),
        ],
        {},
    ),
    (
        "15: and from the new to the old",
        [
            identify(0, user="ann", em="e"),
            says(1, "alias", user="bob", previous="ann"),
            no(2, user="bob"),
            yes(3, user="bob"),
            identify(4, user="ann", ph="p"),
            says(5, user="ann"),
        ],
        {},
    ),
    (
        "15: nobody else",
        [says(0, user="ann", anon="x"), says(0, user="bob", anon="y", em="e"), no(1, anon="x"), says(2, user="bob")],
        {"em": "e"},
    ),
    (
        "15: an opt-out of another user of the browser is not the first user's",
        [
            says(0, user="ann", anon="x", em="e"),
            no(1, user="bob", anon="x"),
            says(2, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "15: nor is a late one",
        [
            says(1, user="ann", anon="x", em="e"),
            no(0, user="bob", anon="x"),
            says(2, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "15: but the browser is closed",
        [says(0, user="ann", anon="x", em="e"), no(1, user="bob", anon="x"), says(2, user="ann", anon="x")],
        {},
    ),
    (
        "15: an opt-out is not undone by an event that says nothing",
        [no(0, anon="x"), says(1, anon="x", click_id="c"), says(2, anon="x")],
        {},
    ),
    (
        "15: nor by what is withheld and says yes",
        [no(0, anon="x"), withheld(1, anon="x", is_opt_in=True), says(2, anon="x", click_id="c"), says(3, anon="x")],
        {},
    ),
    (
        "15: it is undone by a newer yes of the same id",
        [no(0, anon="x"), yes(1, anon="x", click_id="c"), says(2, anon="x")],
        {"click": "c"},
    ),
    (
        "15: not by an older one",
        [no(1, anon="x"), yes(0, anon="x", click_id="c"), says(2, anon="x", ge="g"), says(3, anon="x")],
        {},
    ),
    (
        "15: nor by one of the same moment",
        [no(1, anon="x"), yes(1, anon="x", click_id="c"), says(2, anon="x", ge="g"), says(3, anon="x")],
        {},
    ),
    (
        "15: a late no does not make the mark older",
        [no(2, anon="x"), no(0, anon="x"), yes(1, anon="x"), says(3, anon="x", click_id="c"), says(4, anon="x")],
        {},
    ),
    (
        "15: a newer no makes it newer",
        [no(0, anon="x"), no(2, anon="x"), yes(1, anon="x"), says(3, anon="x", click_id="c"), says(4, anon="x")],
        {},
    ),
    (
        "15: an opt-in of the user is none of the browser's",
        [
            says(0, user="ann", anon="x"),
            no(1, anon="x"),
            yes(2, user="ann"),
            says(3, anon="x", click_id="c"),
            says(4, anon="x"),
        ],
        {},
    ),
    (
        "15: but opens the user",
        [says(0, user="ann", anon="x"), no(1, anon="x"), yes(2, user="ann", em="e"), says(3, user="ann")],
        {"em": "e"},
    ),
    (
        "11: an opt-in of the browser that opted out opens the user as well",
        [
            says(0, user="ann", anon="x"),
            no(1, anon="x"),
            yes(2, anon="x", click_id="c"),
            says(3, anon="x"),
        ],
        {"click": "c"},
    ),
    (
        "15: a browser that is linked to a user who opted out stays closed when it says yes alone",
        [
            says(0, user="ann", anon="x"),
            no(1, user="ann"),
            yes(2, anon="x", click_id="c"),
            says(3, anon="x"),
        ],
        {},
    ),
    (
        "15: once the link is too old it does not",
        [
            says(0, user="ann", anon="x"),
            no(1, anon="x"),
            yes(95, anon="x", click_id="c"),
            says(96, anon="x"),
        ],
        {"click": "c"},
    ),
    (
        "15: an opt-in of both ids opens both",
        [
            says(0, user="ann", anon="x", em="e"),
            no(1, anon="x"),
            yes(2, user="ann", anon="x", em="f", click_id="c"),
            says(3, anon="x"),
        ],
        {"em": "f", "click": "c", "external_id": "ann"},
    ),
    (
        "15: a mark outlives what is remembered",
        [no(0, user="ann"), identify(1000, user="ann", em="e"), says(1001, user="ann")],
        {},
    ),
    (
        "15: an event of a marked user links no other browser",
        [
            says(0, anon="y", click_id="c"),
            no(1, user="ann"),
            says(2, user="ann", anon="y"),
            says(3, anon="y"),
        ],
        {"click": "c"},
    ),
    (
        "15: the previous id of an alias is one of its ids",
        [
            says(0, anon="x", em="e"),
            no(1, anon="x"),
            says(2, "alias", user="ann", previous="x", em="f"),
            says(3, user="ann"),
        ],
        {},
    ),
    (
        "15: an opt-out by an alias closes the previous id",
        [
            says(0, anon="x", click_id="c"),
            no(1, "alias", user="ann", previous="x"),
            says(2, anon="x", ge="g"),
            says(3, anon="x"),
        ],
        {},
    ),
    (
        "15: an opt-out by an alias closes both the user and the anonymous id of the previous name",
        [
            identify(0, user="ann"),
            no(1, "alias", user="bob", previous="ann"),
            says(2, anon="ann", ge="g"),
            says(3, anon="ann"),
        ],
        {},
    ),
    (
        "15: an opt-in by an alias opens both again",
        [
            no(0, "alias", user="ann", previous="ann"),
            yes(1, "alias", user="bob", previous="ann"),
            says(2, anon="ann", ge="g"),
            says(3, anon="ann"),
        ],
        {"ge": "g"},
    ),
    (
        "15: an opt-out closes along every link that is not too old",
        [
            says(0, user="ann", anon="x"),
            says(89, anon="x", click_id="c"),
            no(90, user="ann"),
            says(90.5, anon="x", ge="g"),
            says(91, anon="x"),
        ],
        {},
    ),
    # 16: time
    (
        "16: what is remembered lasts for ninety days",
        [identify(0, user="ann", em="e"), says(90, user="ann")],
        {"em": "e"},
    ),
    ("16: and no longer", [identify(0, user="ann", em="e"), says(90.001, user="ann")], {}),
    ("16: a click for sixty", [says(0, anon="x", click_id="c"), says(60, anon="x")], {"click": "c"}),
    ("16: and no longer.", [says(0, anon="x", click_id="c"), says(60.001, anon="x")], {}),
    (
        "16: of what is observed again from then",
        [says(0, anon="x", click_id="c"), says(50, anon="x", click_id="c"), says(110, anon="x")],
        {"click": "c"},
    ),
    (
        "16: filling is no observing",
        [says(0, anon="x", click_id="c"), says(50, anon="x"), says(61, anon="x")],
        {},
    ),
    (
        "16: what is too old is replaced by what is said late",
        [says(0, anon="x", click_id="c"), says(61, anon="x", click_id="d"), says(62, anon="x")],
        {"click": "d"},
    ),
    (
        "16: a part of what is too old does not bring the whole back",
        [identify(0, user="ann", fn="f", ln="l"), identify(91, user="ann", fn="f"), says(92, user="ann")],
        {"name": "f"},
    ),
    (
        "16: the user's id lasts as long",
        [says(0, user="ann", anon="x", em="e"), says(0, user="bob"), says(2, user="ann", anon="x"), says(8, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    # 17
    (
        "17: what arrives late is judged by its own time",
        [
            says(0, anon="x", click_id="c"),
            says(70, anon="x", ge="g"),
            says(59, anon="x"),
        ],
        {"click": "c"},
    ),
    (
        "5: a user is known as long as a link of that name",
        [
            identify(0, user="ann", em="e"),
            says(50, "alias", user="bob", previous="ann"),
            says(94, anon="ann", em="f"),
            says(95, "alias", user="cay", previous="ann"),
            says(96, user="cay"),
        ],
        {},
    ),
    (
        "5: and as what is remembered lasts",
        [
            identify(0, user="ann", em="e"),
            says(89, anon="ann", em="f"),
            says(90, "alias", user="bob", previous="ann"),
            says(90, user="bob"),
        ],
        {"em": "e"},
    ),
    (
        "8: in the moment of the link, too",
        [says(1, user="ann", anon="x", em="e"), says(1, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "9: what is exactly as old as may be tells apart",
        [identify(0, user="ann", em="e"), identify(50, user="ann", ge="g"), says(90, user="ann", em="f")],
        {},
    ),
    (
        "10: in the moment of the link, too",
        [says(0, anon="x", click_id="c"), says(1, user="ann", anon="x"), says(1, user="ann")],
        {"click": "c"},
    ),
    (
        "12: in the moment of the alias, too",
        [
            identify(0, user="bob", em="e"),
            says(0, user="ann"),
            says(1, "alias", user="bob", previous="ann"),
            says(1, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "15: what a public key says counts as well",
        [says(0, user="ann", anon="x", em="e", is_trusted=False), says(1, user="ann", is_trusted=False)],
        {"em": "e"},
    ),
    (
        "16: a part of what is exactly as old as may be renews it",
        [identify(0, user="ann", fn="f", ln="l"), identify(90, user="ann", fn="f"), says(91, user="ann")],
        {"name": {"fn": "f", "ln": "l"}},
    ),
    (
        "16: age counts from one to the other",
        [identify(50, user="ann", fn="f", ln="l"), identify(60, user="ann", fn="f"), says(61, user="ann")],
        {"name": {"fn": "f", "ln": "l"}},
    ),
    (
        "16: all that is remembered lasts as long, save clicks",
        [
            identify(0, user="ann", anon="x", em="e", ph="p", ge="g", db="d", ln="l", country="de", hashed_maids="m"),
            says(90, user="ann", anon="x", may_use_device=True),
        ],
        {"em": "e", "ph": "p", "ge": "g", "db": "d", "name": "l", "place": "de", "device": "m"},
    ),
    # 18: erasure
    (
        "18: a user is forgotten",
        [identify(0, user="ann", em="e", click_id="c"), Erasure(1, user="ann"), says(2, user="ann")],
        {},
    ),
    (
        "18: with the browsers",
        [says(0, user="ann", anon="x", ge="g", click_id="c"), Erasure(1, user="ann"), says(2, anon="x")],
        {},
    ),
    (
        "18: also those that were the user's before",
        [
            says(0, user="ann", anon="x", click_id="c"),
            withheld(1, user="bob", anon="x"),
            Erasure(2, user="ann"),
            says(3, anon="x"),
        ],
        {},
    ),
    (
        "18: and under the user's other names, from the old to the new",
        [
            identify(0, user="ann", em="e"),
            says(1, "alias", user="bob", previous="ann"),
            Erasure(2, user="ann"),
            says(3, user="bob"),
        ],
        {},
    ),
    (
        "18: and from the new to the old",
        [
            says(0, user="ann", anon="x", click_id="c"),
            says(1, "alias", user="bob", previous="ann"),
            Erasure(2, user="bob"),
            says(3, anon="x"),
        ],
        {},
    ),
    (
        "18: a browser is forgotten",
        [says(0, user="ann", anon="x", em="e", click_id="c"), Erasure(1, anon="x"), says(2, anon="x")],
        {},
    ),
    (
        "18: without its user",
        [says(0, user="ann", anon="x", em="e", click_id="c"), Erasure(1, anon="x"), says(2, user="ann")],
        {"em": "e"},
    ),
    (
        "18: nobody else is",
        [identify(0, user="ann", em="e"), says(0, user="bob", anon="x"), Erasure(1, user="bob"), says(2, user="ann")],
        {"em": "e"},
    ),
    (
        "18: marks stay",
        [no(0, user="ann"), Erasure(1, user="ann"), identify(2, user="ann", em="e"), says(3, user="ann")],
        {},
    ),
]

#: Public events beside trusted ones: rules 10 and 11.
SCENES_OF_TRUST: list[Scene] = [
    (
        "10: what a public event says fills no trusted one",
        [public(says(0, user="ann", anon="x", em="e", click_id="c")), says(1, user="ann", anon="x")],
        {},
    ),
    (
        "10: nor does its link",
        [identify(0, user="ann", em="e"), public(says(1, user="ann", anon="x")), says(2, anon="x")],
        {},
    ),
    (
        "10: what a trusted event says fills public ones",
        [identify(0, user="ann", em="e"), public(says(1, user="ann"))],
        {"em": "e"},
    ),
    (
        "10: a public event replaces nothing trusted",
        [identify(0, user="ann", em="e"), public(identify(1, user="ann", em="f")), public(says(2, user="ann"))],
        {"em": "e"},
    ),
    (
        "10: nor when that is too old",
        [identify(0, user="ann", em="e"), public(identify(95, user="ann", em="f")), says(80, user="ann")],
        {"em": "e"},
    ),
    (
        "10: it renews nothing trusted",
        [identify(0, user="ann", em="e"), public(says(60, user="ann", em="e")), says(95, user="ann")],
        {},
    ),
    (
        "10: not for public events either",
        [identify(0, user="ann", em="e"), public(says(60, user="ann", em="e")), public(says(95, user="ann"))],
        {},
    ),
    (
        "10: a trusted event replaces what a public one says, be that newer",
        [public(identify(2, user="ann", em="f")), identify(1, user="ann", em="e"), public(says(3, user="ann"))],
        {"em": "e"},
    ),
    (
        "10: and leaves other groups of it to public events",
        [public(identify(2, user="ann", ph="p")), identify(1, user="ann", em="e"), public(says(3, user="ann"))],
        {"em": "e", "ph": "p"},
    ),
    (
        "10: a public link moves nothing trusted to the user",
        [says(0, anon="x", em="e"), public(says(1, user="ann", anon="x")), public(says(2, user="ann"))],
        {},
    ),
    (
        "10: nor away from the browser",
        [says(0, anon="x", em="e"), public(says(1, user="ann", anon="x")), says(2, anon="x")],
        {"em": "e"},
    ),
    (
        "10: nor over what a trusted event said of the user",
        [
            identify(0, user="ann", em="e"),
            public(says(1, anon="x", em="f")),
            public(says(2, user="ann", anon="x")),
            says(3, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "10: it moves what is public",
        [public(says(0, anon="x", em="e")), public(says(1, user="ann", anon="x")), public(says(2, user="ann"))],
        {"em": "e"},
    ),
    (
        "10: a trusted link moves what is trusted",
        [
            says(0, anon="x", em="e"),
            public(says(0, anon="x", ph="p")),
            says(1, user="ann", anon="x"),
            says(2, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "10: a public link to another user drops nothing trusted",
        [
            says(0, anon="x", em="e", click_id="c"),
            public(says(1, user="ann", anon="x")),
            public(says(2, user="bob", anon="x")),
            says(3, anon="x"),
        ],
        {"em": "e", "click": "c"},
    ),
    (
        "10: it replaces no trusted one",
        [identify(0, user="ann", anon="x", em="e"), public(says(1, user="bob", anon="x")), says(2, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "10: however old that is",
        [identify(0, user="ann", anon="x", em="e"), public(says(95, user="bob", anon="x")), says(5, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "10: it renews no trusted one",
        [identify(0, user="ann", anon="x", em="e"), public(says(5, user="ann", anon="x")), says(10, anon="x")],
        {},
    ),
    (
        "10: a public event removes no trusted link",
        [identify(0, user="ann", anon="x", em="e"), public(withheld(1, user="bob", anon="x")), says(2, anon="x")],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "10: but a public one",
        [
            identify(0, user="ann", em="e"),
            public(says(0, user="ann", anon="x")),
            public(withheld(1, user="bob", anon="x")),
            public(says(2, anon="x")),
        ],
        {},
    ),
    (
        "10: a public alias cuts no trusted one where a circle would close",
        [
            identify(0, user="ann", em="e"),
            says(1, "alias", user="bob", previous="ann"),
            public(says(2, "alias", user="ann", previous="bob")),
            says(3, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "10: a trusted alias cuts it",
        [
            says(0, user="ann", anon="x"),
            says(0, user="bob"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, "alias", user="ann", previous="bob"),
            says(3, anon="x"),
        ],
        {"external_id": "ann"},
    ),
    (
        "10: a trusted link replaces a public one, be that newer, and drops what public events said of the other user",
        [
            public(says(2, user="bob", anon="x", click_id="c")),
            public(says(3, anon="x", em="e")),
            says(1, user="ann", anon="x"),
            public(says(4, anon="x")),
        ],
        {"external_id": "ann"},
    ),
    (
        "10: to the same user it drops nothing",
        [
            public(says(0, user="ann", anon="x", click_id="c")),
            public(says(0, anon="x", em="e")),
            says(1, user="ann", anon="x"),
            public(says(2, anon="x")),
        ],
        {"external_id": "ann", "click": "c", "em": "e"},
    ),
    (
        "10: where it changes from one user to another, it drops what is public as well",
        [
            says(0, user="ann", anon="x"),
            public(says(1, anon="x", click_id="c", em="e")),
            says(2, user="bob", anon="x"),
            public(says(3, anon="x")),
        ],
        {"external_id": "bob"},
    ),
    (
        "10: a trusted event leaves the public link of a browser to public events",
        [
            identify(0, user="ann", em="e"),
            public(says(1, user="ann", anon="x")),
            says(2, anon="x", click_id="c"),
            public(says(3, anon="x")),
        ],
        {"external_id": "ann", "click": "c", "em": "e"},
    ),
    (
        "11: a public no is none of trusted events of the same id",
        [identify(0, user="ann", em="e"), public(no(1, user="ann")), says(2, user="ann")],
        {"em": "e"},
    ),
    (
        "11: nor of a browser",
        [says(0, anon="x", click_id="c"), public(no(1, anon="x")), says(2, anon="x")],
        {"click": "c"},
    ),
    (
        "11: but of public ones",
        [identify(0, user="ann", em="e"), public(no(1, user="ann")), public(says(2, user="ann"))],
        {},
    ),
    (
        "11: it erases what public events said, and no more",
        [
            identify(0, user="ann", em="e"),
            public(says(0, user="ann", ph="p")),
            public(no(1, user="ann")),
            public(yes(2, user="ann")),
            public(says(3, user="ann")),
        ],
        {"em": "e"},
    ),
    (
        "11: it holds for the user to whom a trusted event linked the browser",
        [identify(0, user="ann", anon="x", em="e"), public(no(1, anon="x")), says(2, user="ann")],
        {},
    ),
    (
        "11: whose facts it erases",
        [identify(0, user="ann", anon="x", em="e"), public(no(1, anon="x")), yes(2, user="ann"), says(3, user="ann")],
        {},
    ),
    (
        "11: also where the link comes later",
        [identify(0, user="ann", em="e"), public(no(1, anon="x")), says(2, user="ann", anon="x"), says(3, user="ann")],
        {},
    ),
    (
        "11: which stays closed",
        [public(no(0, anon="x")), says(1, user="ann", anon="x"), identify(2, user="ann", em="e"), says(3, user="ann")],
        {},
    ),
    (
        "11: a trusted no of the browser is not handed on",
        [no(0, anon="x"), says(1, user="ann", anon="x"), identify(2, user="ann", em="e"), says(3, user="ann")],
        {"em": "e"},
    ),
    (
        "11: what was handed on stays so when the browser says no again",
        [
            public(no(0, anon="x")),
            says(1, user="ann", anon="x"),
            public(no(2, user="ann", anon="x")),
            identify(3, user="ann", em="e"),
            says(4, user="ann"),
        ],
        {},
    ),
    (
        "11: an opt-out that named the user is handed on as well",
        [
            public(no(0, user="ann", anon="x")),
            says(1, user="ann", anon="x"),
            identify(2, user="ann", em="e"),
            says(3, user="ann"),
        ],
        {},
    ),
    (
        "11: whose later names stay known",
        [
            identify(0, user="ann"),
            says(0, "alias", user="bob", previous="ann"),
            public(no(1, anon="x")),
            says(2, user="ann", anon="x"),
            public(yes(3, anon="x")),
            identify(4, user="bob", em="e"),
            says(5, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "11: and under the later names of that user",
        [
            identify(0, user="ann", em="e"),
            says(0, "alias", user="bob", previous="ann"),
            public(no(1, anon="x")),
            says(2, user="ann", anon="x"),
            says(3, user="bob"),
        ],
        {},
    ),
    (
        "11: whose facts go then as well",
        [
            identify(0, user="ann", em="e"),
            public(no(1, anon="x")),
            says(2, user="ann", anon="x"),
            yes(3, user="ann"),
            says(4, user="ann"),
        ],
        {},
    ),
    (
        "11: not by an event that links nothing",
        [
            identify(0, user="ann", em="e"),
            public(no(1, anon="x")),
            says(2, "custom", user="ann", anon="x"),
            says(3, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "11: nor to whom a public event linked it",
        [
            identify(0, user="ann", em="e"),
            public(says(1, user="ann", anon="x")),
            public(no(2, anon="x")),
            says(3, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "11: nor later",
        [
            identify(0, user="ann", em="e"),
            public(no(1, anon="x")),
            public(says(2, user="ann", anon="x")),
            says(3, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "11: an opt-in of the browser lifts it of the user",
        [
            identify(0, user="ann", anon="x"),
            public(no(1, anon="x")),
            public(yes(2, anon="x")),
            identify(3, user="ann", em="e"),
            says(4, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "11: and where it was handed on",
        [
            public(no(0, anon="x")),
            says(1, user="ann", anon="x"),
            public(yes(2, anon="x")),
            identify(3, user="ann", em="e"),
            says(4, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "11: an opt-in of another browser does not",
        [
            identify(0, user="ann", anon="x"),
            public(no(1, anon="x")),
            public(yes(2, anon="y")),
            identify(3, user="ann", em="e"),
            says(4, user="ann"),
        ],
        {},
    ),
    (
        "11: of two browsers that opted out each has to say yes",
        [
            says(0, user="ann", anon="x"),
            says(0, user="ann", anon="y"),
            no(1, anon="x"),
            no(1, anon="y"),
            yes(2, anon="x"),
            identify(3, user="ann", em="e"),
            says(4, user="ann"),
        ],
        {},
    ),
    (
        "11: or the user",
        [
            says(0, user="ann", anon="x"),
            says(0, user="ann", anon="y"),
            no(1, anon="x"),
            no(1, anon="y"),
            yes(2, user="ann"),
            identify(3, user="ann", em="e"),
            says(4, user="ann"),
        ],
        {"em": "e"},
    ),
    *(
        (
            f"11: of {count} browsers that opted out and yes, those that are told apart open the user",
            [
                *(no(1, user="ann", anon=f"x{number}") for number in range(count)),
                *(yes(2, anon=f"x{number}") for number in range(count)),
                identify(3, user="ann", em="e"),
                says(4, user="ann"),
            ],
            expected,
        )
        for count, expected in ((8, {"em": "e"}), (9, {}), (10, {}))
    ),
    (
        "11: one that says no again is told apart as before",
        [
            *(no(1, user="ann", anon=f"x{number}") for number in range(8)),
            no(1.5, user="ann", anon="x0"),
            *(yes(2, anon=f"x{number}") for number in range(8)),
            identify(3, user="ann", em="e"),
            says(4, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "11: more open it together when the user says yes",
        [
            *(no(1, user="ann", anon=f"x{number}") for number in range(10)),
            yes(2, user="ann"),
            identify(3, user="ann", em="e"),
            says(4, user="ann"),
        ],
        {"em": "e"},
    ),
    (
        "11: a trusted no does not go by a public yes",
        [no(0, user="ann"), public(yes(1, user="ann")), identify(2, user="ann", em="e"), says(3, user="ann")],
        {},
    ),
    (
        "11: not for public events either",
        [no(0, anon="x"), public(yes(1, anon="x")), public(says(2, anon="x", click_id="c")), public(says(3, anon="x"))],
        {},
    ),
    (
        "11: a public no beside a trusted one goes, and leaves that",
        [
            no(0, anon="x"),
            public(no(0, anon="x")),
            public(yes(1, anon="x")),
            says(2, anon="x", click_id="c"),
            says(3, anon="x"),
        ],
        {},
    ),
    (
        "11: a trusted yes lifts both",
        [
            no(0, anon="x"),
            public(no(0, anon="x")),
            yes(1, anon="x"),
            says(2, anon="x", click_id="c"),
            public(says(3, anon="x")),
        ],
        {"click": "c"},
    ),
    (
        "11: a trusted no holds for public events of browsers that public ones linked",
        [
            public(says(0, user="ann", anon="x")),
            no(1, user="ann"),
            public(says(2, user="bob", anon="x", click_id="c")),
            public(says(3, anon="x")),
        ],
        {},
    ),
    (
        "11: and for no trusted ones of theirs",
        [public(says(0, user="ann", anon="x")), no(1, user="ann"), says(2, anon="x", click_id="c"), says(3, anon="x")],
        {"click": "c"},
    ),
    (
        "11: whose trusted facts stay",
        [
            public(says(0, user="ann", anon="x")),
            says(0, anon="x", click_id="c"),
            no(1, user="ann"),
            says(3, anon="x"),
        ],
        {"click": "c"},
    ),
]

#: The same where public write keys are not believed what they say of users.
SCENES_OF_STRANGERS: list[Scene] = [
    (
        "15: a public key remembers under the browser only",
        [says(0, user="ann", anon="x", em="e", is_trusted=False), says(1, user="ann")],
        {},
    ),
    (
        "15: there it does",
        [says(0, user="ann", anon="x", ge="g", click_id="c", is_trusted=False), says(1, anon="x", is_trusted=False)],
        {"ge": "g", "click": "c"},
    ),
    (
        "15: it is told nothing of the user that it names",
        [identify(0, user="ann", em="e"), says(1, user="ann", anon="x", is_trusted=False)],
        {},
    ),
    (
        "15: but of the one whom a secret linked",
        [says(0, user="ann", anon="x", em="e"), says(1, anon="x", is_trusted=False)],
        {"em": "e", "external_id": "ann"},
    ),
    (
        "15: also where it names that one",
        [says(0, user="ann", anon="x", em="e"), says(1, user="ann", anon="x", is_trusted=False)],
        {"em": "e"},
    ),
    (
        "15: or another name of that one",
        [
            says(0, user="ann", anon="x", em="e"),
            says(1, "alias", user="bob", previous="ann"),
            says(2, user="ann", anon="x", is_trusted=False),
        ],
        {"em": "e"},
    ),
    (
        "15: nor of what the browser has of a person where it names one, who may be another",
        [
            says(0, user="ann", anon="x", em="e", click_id="c", is_trusted=False),
            says(1, user="bob", anon="x", is_trusted=False),
        ],
        {"click": "c"},
    ),
    (
        "15: not where it names another",
        [says(0, user="ann", anon="x", em="e"), says(1, user="bob", anon="x", is_trusted=False)],
        {},
    ),
    (
        "15: an alias by a public key links nothing",
        [
            identify(0, user="ann", em="e"),
            says(1, "alias", user="bob", previous="ann", is_trusted=False),
            says(2, user="bob"),
        ],
        {},
    ),
    (
        "15: an opt-out counts from anyone",
        [identify(0, user="ann", em="e"), no(1, user="ann", is_trusted=False), says(2, user="ann", is_trusted=False)],
        {},
    ),
    (
        "15: and a user who said it is closed for anyone",
        [
            no(0, user="ann"),
            says(1, user="ann", anon="x", click_id="c", is_trusted=False),
            says(2, anon="x"),
        ],
        {},
    ),
    (
        "15: an opt-in by a public key opens no user",
        [
            no(0, user="ann"),
            yes(1, user="ann", is_trusted=False),
            identify(2, user="ann", em="e"),
            says(3, user="ann"),
        ],
        {},
    ),
    (
        "15: but its browser",
        [
            no(0, anon="x", is_trusted=False),
            yes(1, anon="x", is_trusted=False),
            says(2, anon="x", click_id="c", is_trusted=False),
            says(3, anon="x", is_trusted=False),
        ],
        {"click": "c"},
    ),
]

#: The same where clicks would be remembered longer than all else.
SCENES_OF_SHORT_MEMORY: list[Scene] = [
    ("16: a click lasts no longer than all else", [says(0, anon="x", click_id="c"), says(11, anon="x")], {}),
    ("16: but as long", [says(0, anon="x", click_id="c"), says(10, anon="x")], {"click": "c"}),
]

#: All of them, with the rules under which they are played.
PLAYED = [
    *((*scene, RULES) for scene in SCENES),
    *((*scene, RULES) for scene in SCENES_OF_TRUST),
    *((*scene, RULES.model_copy(update={"remember_users_from": "authenticated"})) for scene in SCENES_OF_STRANGERS),
    *((*scene, RULES.model_copy(update={"remember_days": 10})) for scene in SCENES_OF_SHORT_MEMORY),
]
