"""The stage `match`: `subscribe` texts become compiled conditions.

    scan.py     text -> tokens                 parse.py    tokens -> syntax.py's records
    field.py    a field -> how to look it up   build.py    records -> functions that return true or false
    bound.py    records -> which `type` and `event` can match at all
    findings.py  records + event -> every condition with the value it found

The language by example: docs/triggers.md.
"""

from app.trigger.findings import ABSENT, Finding
from app.trigger.syntax import Readable
from app.trigger.trigger import Trigger, compile_trigger

__all__ = ["ABSENT", "Finding", "Readable", "Trigger", "compile_trigger"]
