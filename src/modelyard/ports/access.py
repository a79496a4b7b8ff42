"""Tokens as requests, and what a server asks of its registry about those who call it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from modelyard.domain.dataclass import dataclass
from modelyard.domain.permissions import Action, Grant, Principal
from modelyard.domain.records import Actor, ModelStage
from modelyard.domain.sessions import Person
from modelyard.domain.tokens import NewToken


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateToken:
    """Make a token. Its secret is in the answer and nowhere else.

    Attributes:
        name: What it is for, such as ``nightly training``.
        grants: What it may do; over the network never more than the caller's own token may.
        owner: Who acts when it is used; ``None``: whoever asks.
        expires_at: When it ends; ``None``: never (over the network: when the caller's own ends).
    """

    name: str
    grants: tuple[Grant, ...]
    owner: Actor | None = None
    expires_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken:
    """End a token at once. ``token``: its id, or its name where only one valid token has that."""

    token: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSessions:
    """End people's sessions at once. ``who``: the id of one, or somebody's name: all of theirs."""

    who: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a reference is about: the model's name as stored, and the version's stage where one is named."""

    model: str
    stage: ModelStage | None = None


class Access(Protocol):
    """What a server needs to know about its callers. Thread-safe; one per registry, whoever acts."""

    def recognise(self, secret: str) -> Principal:
        """Whose token this is; asks the store each time, and notes the use at most once a minute.

        Raises:
            NotAuthenticated: It is malformed, unknown, expired or revoked.
        """
        ...

    def first_token(self) -> NewToken | None:
        """A token for the first administrator, if no token was ever made; of several that ask at once, one gets it."""
        ...

    def tell_denied(self, principal: Principal, action: Action, operation: str, about: str) -> None:
        """Write down that a known caller was refused; a flood is counted instead of written."""
        ...

    def subject(self, ref: str) -> Subject | None:
        """What a reference is about, deleted versions included; ``None`` if nothing, in about the same time."""
        ...

    def subject_of_experiment(self, experiment: str) -> Subject | None:
        """The model of an experiment; ``None`` if there is none."""
        ...

    def require_room(self) -> None:
        """Whether more bytes could become a version at all, known to some seconds.

        Raises:
            QuotaExceeded: All the room is taken.
        """
        ...

    def note_upload(self, actor: Actor, digest: str) -> None:
        """Remember that somebody sent these bytes whole, and so has them."""
        ...

    def uploaded(self, actor: Actor, digest: str) -> bool:
        """Whether somebody sent these bytes lately."""
        ...


class Sessions(Protocol):
    """People who logged in. Thread-safe; one per registry.

    ``once`` names one login, whose completion counts a single time on whichever process it is tried again.
    """

    def open(self, person: Person, *, life: timedelta, idle: timedelta, once: str) -> str:
        """The secret of a new session. It ends after ``life``, and earlier if nobody uses it for ``idle``.

        Raises:
            NotAuthenticated: This login was completed before.
        """
        ...

    def open_code(self, person: Person, challenge: str, *, life: timedelta, once: str) -> str:
        """A code that the program with the verifier of ``challenge`` exchanges for a token that lives for ``life``.

        Raises:
            NotAuthenticated: This login was completed before.
        """
        ...

    def recognise(self, secret: str) -> Principal:
        """Whose session this is; asks the store each time, and notes the use at most once a minute.

        Raises:
            NotAuthenticated: It is malformed, unknown, over or ended.
        """
        ...

    def end(self, secret: str, *, everywhere: bool = False) -> None:
        """End a session, or all of the same person; one that is over stays so."""
        ...

    def exchange(self, code: str, verifier: str, name: str) -> NewToken:
        """A token for a code, which is used up by that.

        Args:
            name: What the token is called.

        Raises:
            NotAuthenticated: The code is unknown, too old or used up, or the verifier is not that of its challenge.
        """
        ...
