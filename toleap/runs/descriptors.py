"""Room for so many attempts at once among the files and sockets that this process may have open."""

from __future__ import annotations

import resource
from collections.abc import Callable

_OF_AN_ATTEMPT = 6
"""A connection to the model server, an interpreter's three pipes, and what starting it needs for a moment."""
_OF_THE_REST = 150
"""The database, the search index, workers that read pages, the judge's connections, the display."""


def room_for(attempts: int, log: Callable[[str], None]) -> int:
    """How many attempts can be in flight: as many as asked for, or fewer, which is said in one line.

    The process's own (soft) limit on open files is raised as far as needed and allowed; without room a connection
    would fail as if the server were down.
    """
    needed = attempts * _OF_AN_ATTEMPT + _OF_THE_REST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return attempts
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(raised, soft), hard))
    except (ValueError, OSError):
        raised = soft
    if raised >= needed:
        return attempts
    fewer = max(1, (raised - _OF_THE_REST) // _OF_AN_ATTEMPT)
    log(f"only {fewer} of {attempts} attempts at once: this needs ulimit -n {needed}, and {raised} is allowed")
    return fewer
