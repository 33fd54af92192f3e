"""Lets coverage measure by `sys.monitoring` on Python 3.12 and 3.13, as it does by itself from 3.14 on.

Coverage's other tracer is called for each line of all code. This one is called once for each line of `app`. Before
3.14 one event tells of both ways of a branch: it comes until both were seen, or until the branch went the same way
often enough in one test. Most branches go one way only, and inner loops ask them a million times.
"""

import dis
import sys
from types import CodeType
from typing import Any, ClassVar

import coverage.bytecode
import coverage.core
from coverage import env
from coverage.sysmon import SysMonitor

#: How often a branch goes the same way in one test before it is left alone until the next test.
_ENOUGH = 200


class _Monitor(SysMonitor):
    #: The one that measures this process.
    running: ClassVar["_Monitor | None"] = None

    def __init__(self) -> None:
        super().__init__()
        #: Code and place of a branch -> the way that it went first.
        self._went: dict[tuple[int, int], int] = {}
        #: How often it went that way again, in this test.
        self._again: dict[tuple[int, int], int] = {}
        #: A process without tests, such as a server, never has enough.
        self._enough = sys.maxsize
        #: Code some of whose branches are left alone.
        self._left_alone: set[CodeType] = set()

    def start(self) -> None:
        """Begin to measure."""
        super().start()
        _Monitor.running = self

    def begin_test(self) -> None:
        """Look at all branches anew."""
        self._enough = _ENOUGH
        self._again.clear()
        events = sys.monitoring.events
        for code in self._left_alone:
            sys.monitoring.set_local_events(self.myid, code, 0)  # else the same events again would change nothing
            sys.monitoring.set_local_events(self.myid, code, events.LINE | events.PY_RETURN | events.BRANCH)
        self._left_alone.clear()

    def sysmon_branch_either(self, code: CodeType, instruction_offset: int, destination_offset: int) -> Any:
        """Note each way of a branch once."""
        place = (id(code), instruction_offset)
        first = self._went.get(place)
        if first == destination_offset:
            self._again[place] = again = self._again.get(place, 0) + 1
            if again < self._enough:
                return None
            self._left_alone.add(code)
            return sys.monitoring.DISABLE
        if id(code) in self.code_infos:  # else a monitor before this one asked for it, and the code still runs
            super().sysmon_branch_either(code, instruction_offset, destination_offset)
        self._went[place] = destination_offset
        return None if first is None else sys.monitoring.DISABLE

    def sysmon_line_arcs(self, code: CodeType, line_number: int) -> Any:
        """Note a line."""
        return super().sysmon_line_arcs(code, line_number) if id(code) in self.code_infos else None

    def sysmon_py_return(self, code: CodeType, instruction_offset: int, retval: object) -> Any:
        """Note the end of a function."""
        return super().sysmon_py_return(code, instruction_offset, retval) if id(code) in self.code_infos else None


def begin_test() -> None:
    """Tell whoever measures this process that a test begins."""
    if _Monitor.running and _Monitor.running.sysmon_on:
        _Monitor.running.begin_test()


def measure_by_events() -> None:
    """Choose it where coverage would not."""
    if (3, 12) <= sys.version_info < (3, 14):
        events: Any = sys.monitoring.events
        events.BRANCH_LEFT = events.BRANCH_RIGHT = events.BRANCH
        env.PYBEHAVIOR.branch_right_left = True
        env.SYSMON_DEFAULT = True
        core: Any = coverage.core
        core.SysMonitor = _Monitor
        coverage.bytecode.RETURNS.add(dis.opmap["RETURN_CONST"])
