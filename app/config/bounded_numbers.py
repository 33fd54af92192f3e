"""Numbers of settings, with the most that each may be: what is beyond makes times and sizes that nothing can hold."""

from typing import Annotated

from pydantic import Field

#: A hundred years.
Days = Annotated[float, Field(le=36_500)]
#: A hundred years.
Hours = Annotated[float, Field(le=876_000)]
#: A day: of what somebody, or a call, waits for.
Seconds = Annotated[float, Field(le=86_400)]
#: A petabyte.
Bytes = Annotated[int, Field(le=10**15)]
#: More than any machine counts to.
Count = Annotated[int, Field(le=10**9)]
