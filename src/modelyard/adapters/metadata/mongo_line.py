"""Who of several processes decides next about what is in MongoDB: a line of names in one document.

It is a courtesy among those who lost a race, so that nothing is decided in vain; what keeps the data right are the
transactions. MongoDB wakes nobody up, so whoever waits has to ask. Who knows how many are ahead asks when their turns
should be over, and not all the time: with eight processes, asking took more of the machine than the turns themselves.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from modelyard.adapters.metadata.mongo_client import Client, concern
from modelyard.domain.errors import StorageError

PATIENCE: Final = 5.0
"""Seconds after which somebody goes on out of turn."""

LIFE_MILLISECONDS: Final = 3_000
"""How long a name stays in the line without a sign of its process."""

_SIGN: Final = 1.0
"""Seconds after which somebody who waits gives one."""

_TURN: Final = (0.001, 0.004, 0.05)
"""Seconds that a turn is taken to last: at least, before any was seen, and at most."""


def _alive() -> dict[str, Any]:
    """The names that are not over; one that ends later than any can, was signed by a clock that was set back since."""
    latest = {"$add": ["$$NOW", 2 * LIFE_MILLISECONDS]}
    living = {"$and": [{"$gt": ["$$this.until", "$$NOW"]}, {"$lte": ["$$this.until", latest]}]}
    return {"$filter": {"input": {"$ifNull": ["$line", []]}, "cond": living}}


class Line:
    """A place in the line, for one at a time.

    Args:
        client: The connection.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._name = ""
        self._began = 0.0
        self._turn = _TURN[1]

    def enter(self) -> None:
        """Wait until nobody is ahead, or for ``PATIENCE``, or not at all where the database does not answer."""
        from pymongo.errors import PyMongoError

        self._name = uuid.uuid4().hex
        try:
            with suppress(PyMongoError, StorageError):  # the commit will say so
                self._wait()
        except BaseException:  # interrupted: nobody has to wait for whoever gave up
            self.leave()
            raise
        self._began = time.monotonic()

    def _wait(self) -> None:
        ends = time.monotonic() + PATIENCE
        signed, ahead = time.monotonic(), self._sign()
        while ahead and time.monotonic() < ends:
            time.sleep(self._pause(ahead))
            if time.monotonic() - signed > _SIGN:
                signed, ahead = time.monotonic(), self._sign()
            else:
                ahead = self._ahead(self._leases.find_one({"_id": "writer"}, {"line": _alive()}))

    def _pause(self, ahead: int) -> float:
        """Until the last but one of those ahead should be done; then some looks within one turn."""
        wanted = self._turn * (ahead - 1 or random.uniform(0.15, 0.35))  # noqa: S311 - jitter, not a secret
        return min(wanted, _SIGN)  # or a name would end while its process sleeps

    def leave(self) -> None:
        """Let the next one go."""
        from pymongo.errors import PyMongoError

        least, _, most = _TURN
        lasted = time.monotonic() - self._began
        self._turn = min(max(0.8 * self._turn + 0.2 * lasted, least), most)
        with suppress(PyMongoError, StorageError):
            self._change({"$pull": {"line": {"name": self._name}}})

    def _sign(self) -> int:
        """Take a place at the end of the line, or keep the one that is had; how many are ahead."""
        until = {"$add": ["$$NOW", LIFE_MILLISECONDS]}
        renewed = {
            "$cond": [{"$eq": ["$$this.name", self._name]}, {"name": self._name, "until": until}, "$$this"]
        }
        mine = {"$cond": [{"$in": [self._name, "$line.name"]}, [], [{"name": self._name, "until": until}]]}
        steps = [
            {"$set": {"line": _alive()}},
            {"$set": {"line": {"$concatArrays": [{"$map": {"input": "$line", "in": renewed}}, mine]}}},
        ]
        return self._ahead(self._change(steps))

    def _change(self, update: Any) -> Mapping[str, Any] | None:
        """As a bare command, which the driver does not repeat: that would cost the server a second write each time."""
        found = self._client.database.command(
            "findAndModify",
            "leases",
            query={"_id": "writer"},
            update=update,
            new=True,
            fields={"line": 1},
            writeConcern={"w": 1},  # a line that is lost costs a moment
        )
        changed: Mapping[str, Any] | None = found["value"]
        return changed

    @property
    def _leases(self) -> Any:
        return self._client.database["leases"].with_options(read_concern=concern("local"))

    def _ahead(self, found: Mapping[str, Any] | None) -> int:
        """How many are ahead of us; nobody where we are not in the line any more."""
        names = [each["name"] for each in found["line"]] if found else []
        return names.index(self._name) if self._name in names else 0
