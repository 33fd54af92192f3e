"""Lets coverage measure by `sys.monitoring` on Python 3.12 and 3.13, as it does by itself from 3.14 on.

Coverage's other tracer is called for each line of all code. This one is called once for each line of `app`. Before
3.14 one event tells of both ways of a branch: it comes until both were seen.
"""

import dis
import sys
from types import CodeType
from typing import Any

import coverage.bytecode
import coverage.core
from coverage import env
from coverage.sysmon import SysMonitor


class _Monitor(SysMonitor):
    def __init__(self) -> None:
        super().__init__()
        #: Code and place of a branch -> the way that it went first.
        self._went: dict[tuple[int, int], int] = {}

    def sysmon_branch_either(self, code: CodeType, instruction_offset: int, destination_offset: int) -> Any:
        """Note each way of a branch once."""
        place = (id(code), instruction_offset)
        first = self._went.get(place)
        if first == destination_offset:
            return None
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
