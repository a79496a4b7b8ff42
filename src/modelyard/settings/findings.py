"""What reading the configuration has found so far: values, their origin, and everything that is wrong."""

from __future__ import annotations

from modelyard.domain.errors import InvalidConfig


class Findings:
    """Collected while reading, so that a person sees all problems at once.

    Attributes:
        values: Dotted key to value.
        sources: Dotted key to ``"<file>:<line>"`` or the name of a variable.
        lines: Dotted key to the line where it was first given, valid or not.
        problems: One sentence each, starting with the place.
    """

    __slots__ = ("lines", "problems", "sources", "values")

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.sources: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        self.problems: list[str] = []

    def put(self, key: str, value: object, source: str) -> None:
        """Take a value; a later one replaces an earlier one."""
        self.values[key] = value
        self.sources[key] = source

    def raise_if_any(self) -> None:
        """Report the problems.

        Raises:
            InvalidConfig: There is at least one. ``data["problems"]`` lists them; several are in ``reasons``
                too.
        """
        if not self.problems:
            return
        data = {"problems": list(self.problems)}
        if len(self.problems) == 1:
            raise InvalidConfig(self.problems[0], data=data)
        detail = f"the configuration has {len(self.problems)} problems; nothing of it was used"
        raise InvalidConfig(detail, reasons=self.problems, data=data)
