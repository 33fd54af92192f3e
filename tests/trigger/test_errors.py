"""Every kind of mistake: the column where it stands, and the remedy that is named."""

import pytest

from app.errors import TriggerError
from app.trigger import compile_trigger
from tests.rows import every_row


@every_row(
    ("text", "column", "said"),
    [
        # The whole
        ("", 1, "the trigger is empty"),
        (" \n ", 1, "the trigger is empty"),
        ("()", 1, "these parentheses are empty"),
        ('type = "page" or ()', 18, "these parentheses are empty"),
        ('(type = "page"', 1, "add its )"),
        ('type = "page")', 14, "remove it or add its ("),
        ('(type = "page" type', 16, "`type` cannot follow here"),
        # Joining
        ('type = "a" or event = "b" and event = "c"', 27, "put parentheses around"),
        ('(type = "a" AND event = "b" Or event = "c")', 29, "put parentheses around"),
        ('type = "a" or', 14, "not the end of the trigger"),
        ('and type = "a"', 1, "not `and`"),
        ('type = "a" and or event = "b"', 16, "not `or`"),
        ('type = "a" event = "b"', 12, '"and"'),
        ('type = "a" adn event = "b"', 12, "Did you mean and?"),
        ('type = "a", event = "b"', 11, "`,` cannot follow here"),
        ('type = "a" && event = "b"', 12, "`&&` is not an operator: use and."),
        ('type = "a" || event = "b"', 12, "`||` is not an operator: use or."),
        ('type = "a"and.x', 11, "`and.x` cannot follow here"),
        # Negation
        ('!type = "a"', 2, "not (field = value)"),
        ('not type = "a"', 5, "not (field = value)"),
        ('!!contains(name, "a")', 1, "write one !"),
        ('! !(name = "a")', 3, "two negations in a row: remove one"),
        ('not not(name = "a")', 5, "two negations in a row: remove one"),
        ("!", 2, "not (field = value)"),
        # Fields
        ('propertis.x = "a"', 1, "Did you mean properties?"),
        ('property.x = "a"', 1, "Did you mean properties?"),
        ('Event = "a"', 1, "Did you mean event?"),
        ('user_id = "a"', 1, "Did you mean userId?"),
        ('groupId = "a"', 1, "The fields are type, event, name, userId, anonymousId, messageId, and properties.key"),
        ('name.first = "a"', 1, "write name."),
        ('userId[0] = "a"', 1, "write userId."),
        ('properties = "a"', 1, "properties.key"),
        ('type = "a" and context != null', 16, "context.key"),
        ('"event" = "a"', 1, 'such as type = "track"'),
        ("42", 1, "not `42`"),
        ("null", 1, "not `null`"),
        # Paths
        ("properties. total = 1", 12, "a key must follow the dot, not ` `"),
        ("properties.", 12, "not the end of the trigger"),
        ("properties..a = 1", 12, "not `.`"),
        ("properties.a .b = 1", 14, "`.` is not allowed here"),
        ("properties.unit\\ price = 1", 16, "a backslash is allowed only before [ and ]"),
        ("properties.a\u200b = 1", 13, "`\\u200b` is not allowed here"),
        ("properties.💡 = 1", 12, "not `💡`"),
        ("properties[ 0 ] = 1", 11, "brackets hold a position or a key in double quotes"),
        ("properties[] = 1", 11, "brackets hold"),
        ("properties[-1] = 1", 11, "brackets hold"),
        ("properties['a'] = 1", 11, "brackets hold"),
        ('properties[""] = 1', 11, "brackets hold"),
        ('properties["a" ] = 1', 11, "brackets hold"),
        ('properties["a = 1', 11, "brackets hold"),
        ("properties[\u0660] = 1", 11, "brackets hold"),
        # Operators
        ("type", 5, "= != < <= > or >= is expected here"),
        ('type "a"', 6, 'not `"a"`'),
        ('type == "a"', 6, "`==` is not an operator: use =."),
        ('type === "a"', 6, "use =."),
        ('type <> "a"', 6, "use !=."),
        ('type =! "a"', 6, "use !=."),
        ('type ! "a"', 6, "not `!`"),
        ('type ~ "a"', 6, "use match(field"),
        ("properties.a => 5", 14, "use >=."),
        ("properties.a > = 5", 16, "not `=`"),
        ('type =& "a"', 6, "use = != < <= > or >="),
        ("properties.a < null", 16, "`null` is not one"),
        ("properties.a <= true", 17, "`true` is not one"),
        ('properties.a > "abc"', 16, '`"abc"` is not one'),
        ('properties.a >= ""', 17, '`""` is not one'),
        ('properties.a >= "5 "', 17, "is not one"),
        ('properties.a >= "5."', 17, "is not one"),
        ('properties.a >= "5\n"', 17, "is not one"),
        ('properties.a >= "0x10"', 17, "is not one"),
        ('properties.a >= "Infinity"', 17, "is not one"),
        ('properties.a >= "\u0665"', 17, "is not one"),
        # Values
        ("type = track", 8, 'text is quoted: write "track".'),
        ("event = and", 9, 'write "and"'),
        ("event = $a.b[0]", 9, 'write "$a.b[0]"'),
        ("event = ture", 9, "Did you mean true?"),
        ("event = true.x", 9, 'write "true.x"'),
        ("type = \u201ctrack\u201d", 8, "straight quotes"),
        ("type = `track`", 8, "straight quotes"),
        ('type = "track', 8, 'never closed: end it with ".'),
        ("type = 'track\\'", 8, "never closed: end it with '."),
        ('type = ("track")', 8, "a text, a number, true, false or null is expected here, not `(`"),
        ('type = ["track"]', 8, "join comparisons with or"),
        ("type =", 7, "not the end of the trigger"),
        ('event = """"', 11, '`""` cannot follow here'),
        ("properties.a = .5", 16, "0.5"),
        ("properties.a = 5.", 16, "`5.` is not a number"),
        ("properties.a = 1.2.3", 16, "`1.2.3` is not a number"),
        ("properties.a = 12abc", 16, "put it in quotes"),
        ('properties.a = 3and type = "a"', 16, "`3and` is not a number"),
        ("properties.a = 1e", 16, "`1e` is not a number"),
        ("properties.a = 1e5x", 16, "`1e5x` is not a number"),
        ("properties.a = -", 16, "`-` is not a number"),
        ("properties.a = + 3", 16, "`+` is not a number"),
        ("properties.a = --3", 16, "`--3` is not a number"),
        ("properties.a = 1_000", 16, "`1_000` is not a number"),
        ("properties.a = 3\u0663", 16, "is not a number"),
        ("properties.a = \u0663", 16, "text is quoted"),
        ("userId = nullor(name = null)", 10, "text is quoted"),
        ("\ufefftype = 'a'", 1, "byte order mark"),
        ("type = 'a'\x1c", 11, "`\\x1c` is not allowed here"),
        ("type = 'a' # note", 12, "`#` is not allowed here"),
        # Functions
        ("contains", 9, 'contains is written contains(field, "text"): a ( is expected here'),
        ('contains = "a"', 10, "a ( is expected here, not `=`"),
        ('contains(event "a")', 16, 'a , is expected here, not `"a"`'),
        ('contains(event, "a"', 20, "a ) is expected here, not the end of the trigger"),
        ('match(event, "a", "b")', 17, "a ) is expected here, not `,`"),
        ('Contains(event, "a")', 1, "Did you mean contains?"),
        ('startsWith(event, "a")', 1, "There are contains and match."),
        ("contains(event, null)", 17, "needs text, not null: write field = null"),
        ("contains(event, a)", 17, 'write "a"'),
        ('contains(match(event, "a"), "b")', 10, "a function cannot be inside another"),
        ('contains("event", "a")', 10, 'a field is expected here, not `"event"`'),
        ('contains(foo, "a")', 10, "there is no field `foo`"),
        ('contains(properties, "a")', 10, "properties.key"),
    ],
)
def test_a_mistake_names_its_column_and_remedy(text: str, column: int, said: str) -> None:
    with pytest.raises(TriggerError) as caught:
        compile_trigger(text)

    assert (caught.value.column, said in str(caught.value)) == (column, True), str(caught.value)


def test_the_leftmost_mistake_is_the_one_named() -> None:
    with pytest.raises(TriggerError) as caught:
        compile_trigger('propertis.x == 5 && type = "')

    assert caught.value.column == 1


def test_a_long_word_is_shown_in_part() -> None:
    with pytest.raises(TriggerError) as caught:
        compile_trigger("type = " + "x" * 60_000)

    assert len(str(caught.value)) < 100
