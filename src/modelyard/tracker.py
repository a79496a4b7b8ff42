"""Semantic versions and the git tags that carry them, for scripts that choose labels themselves."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelyard.client.arguments import checked_methods
from modelyard.domain import versioning
from modelyard.domain.errors import GitUnavailable, InvalidInput, ModelyardError, NotFound
from modelyard.domain.spelling import hint, quoted

if TYPE_CHECKING:
    from semver import Version

STEPS: Final = (*versioning.LEVELS, "prerelease")

_WORD = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_PRE = re.compile(rf"{_WORD}(?:\.{_WORD})*")  # SemVer 2.0.0 rule 9
_BUILD = re.compile(r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*")  # rule 10
_TAG = re.compile(r"(?:.*?[-_/])??(?P<version>v?\d+\.\d+\.\d+.*)", re.ASCII | re.DOTALL)


@checked_methods
class VersionTracker:
    """Parses, orders and raises semantic versions, and reads and makes the git tags that carry them.

    Versions follow SemVer 2.0.0; a leading ``v`` is allowed everywhere and stays where it was. What has to do with git
    needs the program ``git`` and a work tree, everything else needs neither.

    Args:
        folder: A folder in the work tree whose tags count; default: the working directory at the time of each call.
        prefix: Only tags that begin so count, for repositories that hold several models: ``"fraud-"`` counts
            ``fraud-v1.2.3`` and not ``churn-v3.0.0``. Without it every tag that ends in a version counts.
    """

    def __init__(self, folder: str | Path | None = None, *, prefix: str = "") -> None:
        if not isinstance(prefix, str):
            raise InvalidInput(
                f"prefix: expected the beginning of a tag, such as 'fraud-', found {quoted(prefix)}."
            )
        if not isinstance(folder, str | Path | None):
            raise InvalidInput(f"folder: expected a path, found {quoted(folder)}.")
        self.folder = None if folder is None else Path(folder)
        self.prefix = prefix

    def __repr__(self) -> str:
        return f"VersionTracker({str(self.folder) if self.folder else None!r}, prefix={self.prefix!r})"

    # --- versions ---------------------------------------------------------------------------------------------------

    def parse_version(self, version: Version | str) -> Version:
        """The version as a value that can be compared, with ``major``, ``minor``, ``patch``, ``prerelease``, ``build``.

        Raises:
            InvalidInput: Not a semantic version.
        """
        from semver import Version

        if isinstance(version, Version):
            return version
        found = versioning.parse(version) if isinstance(version, str) else None
        if found is None:
            raise InvalidInput(
                f"Cannot read {quoted(version)}: expected a semantic version such as 1.4.0 or 2.0.0-rc.1+build.7."
            )
        return found

    def increment_version(
        self, current: Version | str, increment_type: str = "patch", *, pre: str = "", build: str = ""
    ) -> str:
        """The next version; always above the present one.

        A pre-release is finished by the step that it announces (``2.0.0-rc.1``, ``major``: ``2.0.0``).

        Args:
            current: The version to start from; its build metadata is dropped.
            increment_type: ``major``, ``minor``, ``patch`` or ``prerelease``: the next pre-release of the same version,
                or the first one of the next patch.
            pre: A word such as ``rc`` or ``beta``: gives the first pre-release of the next version (``1.3.0-rc.1``);
                with ``prerelease``, the kind of pre-release (default ``rc``, or the present one).
            build: Build metadata to attach, such as a commit.

        Raises:
            InvalidInput: ``current`` is no version, or the step, ``pre`` or ``build`` are none.
        """
        start = self.parse_version(current)
        if increment_type not in STEPS:
            raise InvalidInput(
                f"increment_type: expected one of {', '.join(STEPS)}, found {quoted(increment_type)}."
                f"{hint(str(increment_type), STEPS)}"
            )
        _check_words("pre", pre, _PRE)
        _check_words("build", build, _BUILD)
        following = _following(start.replace(build=None), increment_type, pre)
        lead = "v" if isinstance(current, str) and versioning.label_key(current) != current else ""
        return lead + str(following.replace(build=build or None))

    def compare_versions(self, version_a: Version | str, version_b: Version | str) -> int:
        """-1, 0 or 1: ``version_a`` is below, equal to or above ``version_b``; build metadata does not count."""
        return self.parse_version(version_a).compare(self.parse_version(version_b))

    def sort_versions(self, versions: Iterable[str], reverse: bool = False) -> list[str]:
        """A new list, lowest first (``reverse``: highest first); equals keep their order.

        Raises:
            InvalidInput: Names what is no version.
        """
        return sorted(versions, key=self.parse_version, reverse=reverse)

    def matches(self, version: Version | str, range_text: str) -> bool:
        """Whether a version lies in a range: ``^1.2``, ``~1.4``, ``>=1.2,<2``, ``1.x``, ``*``.

        A pre-release matches only where the range names one of the same version.

        Raises:
            InvalidRef: The range cannot be read.
        """
        return versioning.matches(str(self.parse_version(version)), range_text)

    def best_match(self, versions: Iterable[str], range_text: str) -> str | None:
        """The highest of the versions that lie in a range, or ``None``."""
        found = [version for version in versions if self.matches(version, range_text)]
        return max(found, key=self.parse_version, default=None)

    # --- git --------------------------------------------------------------------------------------------------------

    def generate_version_from_git(self, increment_type: str = "patch") -> str:
        """The next version of the work tree, with the commit in it: ``1.2.4+abc123.dev``.

        Starts from the highest version among the tags that the present commit descends from. Without any the first
        version is ``0.1.0``. Changed tracked files add ``.dirty``.

        Without the program ``git``, outside a work tree or before the first commit there is nothing to start from: the
        answer is ``0.1.0+nogit.dev``, and the warning ``GitUnavailable`` says why.

        Raises:
            InvalidInput: ``increment_type`` is no step.
        """
        from modelyard.adapters import git, git_tags

        folder = self._place()
        state = git.Lookup.start(folder).result() or {"unknown": "this is no git work tree"}
        commit, reason = state.get("commit"), state.get("unknown", "there is no commit yet")
        if commit is None:
            warnings.warn(
                GitUnavailable(f"no version can be read from git in {str(folder)!r}: {reason}"), stacklevel=3
            )
            return self._next(None, increment_type, "nogit.dev")
        tagged = [version for tag in git_tags.reachable(folder) if (version := self._version_in(tag))]
        highest = max(tagged, key=self.parse_version, default=None)
        marks = ".dev.dirty" if state["dirty"] else ".dev"
        return self._next(highest, increment_type, git_tags.abbreviated(folder, commit) + marks)

    def create_version_tag(
        self, version: str, push: bool = False, *, message: str = "", remote: str = "origin"
    ) -> str:
        """Tag the present commit with a version and return the tag. Repeating it is harmless.

        Args:
            version: The whole tag: ``v1.2.3``, ``model-v1.2.3``. It has to end in a version, and to begin with the
                tracker's ``prefix``.
            push: Also bring the tag (and nothing else) to ``remote``. If that fails, a tag made by this call is taken
                back.
            message: Makes an annotated tag, which records who made it and when; git has to know who you are then.

        Raises:
            InvalidInput: There is no version in it, or git takes no such tag.
            NotFound: There is no work tree here, no commit yet, or no such remote.
            NotSupported: There is no program ``git``.
            AlreadyExists: The tag names another commit. ``Conflict``: on the remote it does.
            StorageError: Git or the remote refuses; the message says why.
        """
        from modelyard.adapters import git_tags

        if not isinstance(version, str) or self._version_in(version) is None:
            raise InvalidInput(
                f"version: expected a tag that ends in a version, such as {self.prefix}v1.2.3, found {quoted(version)}."
            )
        folder = self._place()
        made = git_tags.create(folder, version, message=message)
        if push:
            try:
                git_tags.push(folder, version, remote)
            except ModelyardError:
                if made:
                    git_tags.remove(folder, version)
                raise
        return version

    def _place(self) -> Path:
        place = (self.folder or Path.cwd()).absolute()
        if not place.is_dir():
            raise NotFound(f"there is no folder {str(place)!r} to look for a git work tree in")
        return place

    def _next(self, highest: str | None, increment_type: str, build: str) -> str:
        following = self.increment_version(highest or versioning.FIRST, increment_type, build=build)
        return following if highest else f"{versioning.FIRST}+{build}"

    def _version_in(self, tag: str) -> str | None:
        """The version that a tag ends in, without a leading ``v``; ``None`` if there is none or the prefix differs."""
        found = _TAG.fullmatch(tag.removeprefix(self.prefix)) if tag.startswith(self.prefix) else None
        text = versioning.label_key(found["version"]) if found else ""
        return text if versioning.parse(text) else None


def _check_words(what: str, given: str, pattern: re.Pattern[str]) -> None:
    if given and not pattern.fullmatch(given):
        raise InvalidInput(
            f"{what}: expected letters, digits and hyphens joined by dots, such as rc or abc123.dev, "
            f"found {quoted(given)}."
        )


def _following(start: Version, step: str, pre: str) -> Version:
    """One step up; pre-releases by the rules of the ``semver`` library, which never go backwards."""
    if step == "prerelease":
        present = (start.prerelease or "rc").partition(".")[0]
        return start.next_version(step, pre or present)
    if not pre:
        return start.next_version(step)
    return start.replace(prerelease=None).next_version(step).bump_prerelease(pre)
