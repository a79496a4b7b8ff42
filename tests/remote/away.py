"""Servers that go away in the middle, and clients that wait for them or do not."""

from __future__ import annotations

from functools import partial

from modelyard.remote import patience
from modelyard.remote.patience import Patience
from modelyard.remote.transport import TRIES


def give_up_at_once(patch):
    """The first failure is the last, whoever answered before."""
    patch.setattr(patience, "TRIES", 1)
    patch.setattr(patience, "AWAY", 0)


class Away:
    """A server that goes away once, and comes back when the transfers of ``module`` have paused more than a few times.

    Attributes:
        pauses: How often they have.
    """

    def __init__(self, patch, server, module):
        patch.setattr(module, "Patience", partial(Patience, pause=self.pause))
        # Between the tries that one question makes by itself.
        patch.setattr("modelyard.remote.transport.wait", lambda pause: pause)
        self._server, self._gone, self.pauses = server, False, 0

    def leave(self):
        """Be away from now on, whatever is under way; once."""
        if not self._gone:
            self._gone = True
            self._server.server.force_exit = True
            self._server.stop()

    def pause(self, seconds):
        self.pauses += 1
        if self.pauses == TRIES + 2:
            self._server.start()
        return seconds
