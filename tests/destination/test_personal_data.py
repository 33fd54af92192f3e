"""Personal data in the texts of an event is taken out, and told; the rest of the text stays."""

from typing import Any

from app.config.settings import ConversionSettings
from app.core.values.candidates import FieldPath
from app.destination.conversion_event import report_conversion_event
from app.destination.reading import Reader, read_text
from app.destination.redaction import FreeTextReader, ListReader, PersonalData, read_free_text
from tests.destination.builders import NOW, a_conversion
from tests.rows import every_row
from tests.test_planted import IDS, READERS, put, sent

NUMBER = "+49 1579 2386417"
WIDE = "".join(chr(ord(character) + 0xFEE0) if character != " " else "\u3000" for character in NUMBER)


def built(path: str, text: Any, **user_data: Any) -> tuple[Any, list[str]]:
    """Return what is sent of a text that stands at a path, and the warnings."""
    fields = a_conversion(user_data={"email": "a@b.co"} | user_data)
    put(fields, path, text)
    event, warnings = report_conversion_event(fields, now=NOW)
    value: Any = event
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value, warnings


@every_row(
    ("what", "path", "text", "sent"),
    [
        ("an address in a name", "custom_data.content_name", "Chair for jane@shop.example", "Chair for "),
        ("a number in a name", "custom_data.content_name", f"Chair, call {NUMBER}", "Chair, call "),
        ("in a category", "custom_data.content_category", "gifts of jane%40shop.example", "gifts of "),
        ("in a brand", "custom_data.content_brand", "jane@shop.example Ltd", " Ltd"),
        ("in the name of an app", "app_name", "Shop of jane@shop.example", "Shop of "),
        ("in the text of a device", "device_info.model", f"Phone {NUMBER}", "Phone "),
        ("in the version of a system", "os_version", "18 (jane@shop.example)", "18 ()"),
        ("in an id of a product", "custom_data.content_ids", ["P-jane@shop.example", "P-2"], ["P-2"]),
        ("a text that is nothing else", "app_name", "jane@shop.example", None),
        ("before it is cut", "device_info.timezone", f"{'x' * 30} jane@shop.example", "x" * 30 + " "),
    ],
)
def test_addresses_and_numbers_are_taken_out(what: str, path: str, text: Any, sent: Any) -> None:
    value, warnings = built(path, text)

    assert value == sent, what
    assert [warning for warning in warnings if warning.startswith(path) and "personal data" in warning], warnings


def test_digits_in_ids_of_products_are_no_phone_number() -> None:
    contents = [{"id": NUMBER, "item_brand_id": NUMBER}]

    assert built("custom_data.contents", contents)[0] == contents
    assert built("custom_data.content_ids", [NUMBER])[0] == [NUMBER]


@every_row("path", ["custom_data.content_name", "app_name", "app_info.app_name", "device_info.model"])
@every_row("written", ["1579-2386417", "01579.2386417", "15792386417", WIDE[4:]])
@every_row("number", [NUMBER, WIDE], ids=["plain", "in full width"])
def test_the_number_of_the_person_is_found_in_any_form(path: str, written: str, number: str) -> None:
    value, warnings = built(path, f"call {written}", phone=number)

    assert not any(map(str.isdecimal, value))
    assert f"{path}: personal data taken out" in warnings
    assert built(path, f"call {written}")[0] == f"call {written}", "nobody's number is not guessed"


def test_the_number_of_the_person_is_found_in_products() -> None:
    value, warnings = built("custom_data.contents", [{"id": "P"}, {"item_name": "call 15792386417"}], phone=NUMBER)

    assert value == [{"id": "P"}, {"item_name": "call "}]
    assert "custom_data.contents[1].item_name: personal data taken out" in warnings


@every_row("path", [path for path in READERS if path not in IDS])
@every_row("written", ["1579-2386417", "01579.2386417", NUMBER])
def test_the_number_of_the_person_leaves_in_no_field_but_an_id(path: str, written: str) -> None:
    """Also in a field that is new in the table of its readers."""
    fields = a_conversion(user_data={"email": "a@b.co", "phone": NUMBER})
    put(fields, path, f"call {written}")

    assert written not in sent(fields)


@every_row("read", [read_free_text, read_text, ListReader(FreeTextReader())], ids=["words", "text", "list"])
@every_row("at", [(), ("custom_data",), ("custom_data", "contents"), ("device_info",)], ids=str)
def test_a_new_text_is_cleaned_wherever_it_is(read: Reader, at: FieldPath) -> None:
    personal_data = PersonalData(ConversionSettings.model_construct(), [((*at, "new"), read)])
    is_list = isinstance(read, ListReader)
    words = ["call 1579-2386417", "1579-2386417", "2 chairs"] if is_list else "call 1579-2386417"
    holder: dict[str, Any] = {"new": words}
    custom_data = {"contents": [{}, holder]} if "contents" in at else holder if at == ("custom_data",) else {}
    event = holder if not at else {"device_info": holder} if "device_info" in at else {}

    (warning,) = personal_data.take_out(event, custom_data, NUMBER)

    assert holder == {"new": ["call ", "2 chairs"] if is_list else "call "}
    assert warning == f"{'.'.join((*at, 'new')).replace('contents', 'contents[1]')}: personal data taken out"
    assert personal_data.take_out(event, custom_data, NUMBER) == []


def test_a_list_of_texts_in_which_nothing_is_left_goes() -> None:
    event = {"new": ["1579-2386417"]}
    assert PersonalData(ConversionSettings.model_construct(), [(("new",), ListReader(FreeTextReader()))]).take_out(
        event, {}, NUMBER
    )
    assert event == {}


def test_a_user_agent_holds_no_address() -> None:
    value, warnings = built("user_data.client_user_agent", "Mozilla/5.0 (jane@shop.example)")
    assert value == "Mozilla/5.0 ()"
    assert "user_data.client_user_agent: a text of 31 characters sent without the e-mail address in it" in warnings


def test_what_is_remembered_of_texts_is_bounded_and_short() -> None:
    read = FreeTextReader()
    for number in range(20_000):
        read(f"text {number}")
    read("x" * 1_000)

    assert 0 < len(read.known) <= 8_192
    assert "x" * 1_000 not in read.known


def test_what_holds_personal_data_is_not_remembered() -> None:
    for _ in range(2):
        assert read_free_text("call jane@shop.example") == ("call ", (": personal data taken out",))
