"""The code a version was made with, as its environment records it: is it the code that the commit names?"""

from __future__ import annotations

from collections.abc import Mapping

from modelyard.domain.records import JSON
from modelyard.domain.text import plain


def doubt(environment: Mapping[str, JSON]) -> str:
    """Why the recorded commit does not tell which code made a version; empty if it does.

    Args:
        environment: As registered. Its ``git`` has ``commit``, ``branch``, ``dirty`` and ``remote``, or ``unknown``
            with the reason; it is absent outside a work tree, and where recording is switched off.
    """
    state = environment.get("git")
    if not isinstance(state, Mapping):
        return "no git work tree was recorded (there is none here, or versioning.git.enabled is off)"
    if "unknown" in state:
        return plain(f"git could not be asked: {state['unknown']}")
    commit = state.get("commit")
    if not isinstance(commit, str) or not commit:
        return "the work tree has no commit yet"
    if state.get("dirty") is not False:
        return plain(f"tracked files differ from commit {commit[:12]}")
    return ""
