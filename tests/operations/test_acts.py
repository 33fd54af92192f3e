"""Every act of an operator is one function, called by each shell that offers it and audited there alone."""

import ast
from collections import defaultdict
from collections.abc import Iterator

import pytest

from app.core.pages import AuditAction
from tests.process import ROOT

#: Act -> the shells that offer it; the editor, the live tail and comparing an upload are for people only.
ACTS = {
    "cancel_deletion": {"commands"},
    "compare": {"console", "commands"},
    "forget": {"api", "commands", "console"},
    "forget_known": {"console"},
    "held": {"commands", "console"},
    "import_files": {"commands"},
    "import_rows": {"commands"},
    "publish": {"console"},
    "reload": {"api", "console", "web"},
    "send_alert": {"console", "commands"},
    "send_event": {"console"},
    "send_missing": {"commands"},
    "switch": {"api", "console"},
    "watch": {"console"},
}
SHELLS = ("api", "commands", "console", "web")
#: What acts do it with. A shell that called one of these would change something, and nobody would know who did.
TOOLS = {"post_test", "want_tail", "write_audit", "forget_keys", "reconciled"}
#: Written where people log in and out (app/access).
OF_ACCESS = {"LOGIN", "LOGIN_FAILED", "LOGOUT"}


def calls(room: str) -> Iterator[tuple[str, str, str]]:
    """Yield of each call in a room its place, what is asked, and the name of what is called there."""
    for path in sorted((ROOT / "app" / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                yield f"{path.name}:{node.lineno}", ast.unparse(node.func.value), node.func.attr
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield f"{path.name}:{node.lineno}", "", node.func.id


def acts_of_the_code() -> dict[str, str]:
    """Return each function of an act, and its code: those that take the person who asks for it."""
    found = {}
    for path in sorted((ROOT / "app/operations").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_"):
                arguments = [each.arg for each in node.args.args]
                if "person" in arguments:
                    found[node.name] = ast.unparse(node)
    return found


@pytest.mark.slow
def test_the_table_has_every_act_and_each_writes_into_the_audit_log() -> None:
    found = acts_of_the_code()
    assert set(found) == set(ACTS)
    assert [name for name, code in found.items() if ".note(" not in code and "_note" not in code] == []


@pytest.mark.slow
def test_each_kind_of_entry_is_written_by_operations_and_by_nothing_else() -> None:
    written = {
        room: {
            node.attr
            for path in (ROOT / "app" / room).rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "AuditAction"
        }
        for room in ("operations", "access", *SHELLS)
    }
    shells = {room: set[str]() for room in SHELLS}
    assert written == {"operations": set(AuditAction.__members__) - OF_ACCESS, "access": OF_ACCESS, **shells}


@pytest.mark.slow
def test_every_shell_that_offers_an_act_calls_it() -> None:
    callers: defaultdict[str, set[str]] = defaultdict(set)
    for room in SHELLS:
        for _, asked, name in calls(room):
            if name in ACTS and "acts" in asked.lower():
                callers[name].add(room)
    assert callers == ACTS


@pytest.mark.parametrize("room", SHELLS)
def test_no_shell_does_it_by_itself(room: str) -> None:
    by_itself = [
        f"{place}: {asked}.{name}"
        for place, asked, name in calls(room)
        if "acts" not in asked.lower() and (name in TOOLS or (name in ACTS and asked))
    ]
    assert by_itself == []
