"""What a version was made with as a report, and as files from which it can be installed again.

What is recorded may come from anybody, so nothing is written that an installer could read as something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from modelyard.domain.dataclass import dataclass
from modelyard.domain.environment import INTERPRETER, SEVERE, Mismatch, is_known, packages, text_of
from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.records import JSON
from modelyard.domain.spelling import quoted
from modelyard.domain.text import plain

_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentReport:
    """What a version was made with, and how the present environment differs.

    Attributes:
        name: Model name. ``version``: the label.
        slug: The model's name as a word that file systems and tools accept.
        declared: As recorded at registration: ``python``, ``implementation``, ``platform``, ``packages`` and
            ``dependencies`` (distribution -> version) and, inside a git work tree, ``git``.
        differences: What is different here, packages in alphabetical order.
    """

    name: str
    version: str
    slug: str
    declared: Mapping[str, JSON]
    differences: tuple[Mismatch, ...] = ()

    @property
    def severe(self) -> tuple[Mismatch, ...]:
        """The differences that loading warns of."""
        return tuple(d for d in self.differences if d.level in SEVERE)

    def to_requirements(self) -> str:
        """A requirements file for pip: every recorded package at exactly its version, interpreter as a comment.

        Raises:
            NotFound: No environment is recorded.
            InvalidInput: A recorded name or version is none; nothing is written that an installer could misread.
        """
        lines = [f"# {plain(self._subject)} was made with {_interpreter(self.declared, self._subject)}."]
        lines += _pins(self.declared, "packages")
        if needed := _pins(self.declared, "dependencies"):
            lines += ["# What these need in turn:", *needed]
        return "\n".join(lines) + "\n"

    def to_conda(self) -> str:
        """An environment file for conda: the interpreter from conda, packages from PyPI, where their names are from.

        Raises:
            NotFound, InvalidInput: As for ``to_requirements``.
        """
        _interpreter(self.declared, self._subject)
        python = _checked(_VERSION, "python", self.declared["python"])
        name = json.dumps(self.slug.replace("/", "-"))  # a JSON text is a YAML text
        lines = [f"name: {name}", "channels:", "  - conda-forge", "dependencies:", f"  - python={python}"]
        if pins := [*_pins(self.declared, "packages"), *_pins(self.declared, "dependencies")]:
            lines += ["  - pip", "  - pip:", *(f"      - {pin}" for pin in pins)]
        return "\n".join(lines) + "\n"

    @property
    def _subject(self) -> str:
        return f"{self.name}:{self.version}"


def _interpreter(declared: Mapping[str, JSON], subject: str) -> str:
    if not is_known(declared):
        raise NotFound(
            f"{subject} has no recorded environment: it was registered without one, or by an older program"
        )
    words = {key: _checked(_VERSION, key, text_of(declared, key) or "unknown") for key in INTERPRETER}
    return f"{words['implementation']} {words['python']} on {words['platform']}"


def _pins(declared: Mapping[str, JSON], key: str) -> list[str]:
    return [
        f"{_checked(_PACKAGE, 'package', name)}=={_checked(_VERSION, name, version)}"
        for name, version in sorted(packages(declared, key).items())
    ]


def _checked(pattern: re.Pattern[str], what: str, text: str) -> str:
    """``text``, unless an installer could read it as something else, such as an option or a second line."""
    if pattern.fullmatch(text):
        return text
    raise InvalidInput(
        f"environment: the recorded {quoted(what)} is {quoted(text)}, which is no name or version of a package; "
        "nothing was written, because an installer could read it as something else"
    )
