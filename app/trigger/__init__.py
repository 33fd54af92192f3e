"""The stage `match`: `subscribe` texts become compiled conditions.

    scanner.py     text -> tokens                 parser.py    tokens -> syntax.py's records
    compiler.py    a field -> how to look it up   compiler.py    records -> functions that return true or false
    compiler.py    records -> which `type` and `event` can match at all
    trigger.py  records + event -> every condition with the value it found

The language by example: docs/triggers.md.
"""

from app.trigger.syntax import Readable, places_asked
from app.trigger.trigger import ABSENT, Finding, Trigger, compile_trigger

__all__ = ["ABSENT", "Finding", "Readable", "Trigger", "compile_trigger", "places_asked"]
