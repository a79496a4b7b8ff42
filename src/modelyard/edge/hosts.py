"""By which names a server may be addressed.

A page on another site can make a browser ask a server on the same machine, under a name of the page's own choosing
whose address it changed meanwhile (DNS rebinding). Such a request carries that name; so only known names are answered.
An address in place of a name cannot have been changed, and a server that listens everywhere takes any.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from modelyard.domain.errors import InvalidInput
from modelyard.domain.spelling import quoted

HERE = ("localhost", "127.0.0.1", "::1")


class Hosts:
    """Names that are answered to.

    Args:
        names: Names and addresses, in any case, without port.
        any_address: Also any IP address, for a server that listens on all of its own.
    """

    def __init__(self, names: Iterable[str], *, any_address: bool = False) -> None:
        self.names = frozenset(name.strip("[]").rstrip(".").casefold() for name in (*HERE, *names) if name)
        self._any_address = any_address
        self._good: set[bytes] = set()

    def check(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Whether the one ``Host`` of a request names this server.

        Raises:
            InvalidInput: There is none, or several, or it names another.
        """
        given = [value for name, value in headers if name == b"host"]
        if len(given) == 1 and given[0] in self._good:
            return
        if len(given) != 1 or not self._is_ours(given[0].decode("latin-1")):
            found = ", ".join(quoted(each.decode("latin-1"), 100) for each in given) or "none"
            raise InvalidInput(
                f"Host: expected a name of this server, found {found}; whoever runs it adds names with --allow-host",
                data={"field": "host"},
            )
        if len(self._good) < 1000:
            self._good.add(given[0])

    def _is_ours(self, host: str) -> bool:
        name = _without_port(host)
        if name is None:
            return False
        return name in self.names or (self._any_address and _is_address(name))


def _without_port(host: str) -> str | None:
    """The name of ``name:port`` or ``[address]:port``; ``None`` for what is neither."""
    if host.startswith("["):
        name, closed, rest = host[1:].partition("]")
        if not closed:
            return None
    else:
        name, colon, port = host.partition(":")
        rest = colon + port
    if not name or (
        rest and not (rest[0] == ":" and rest[1:].isascii() and rest[1:].isdigit() and len(rest) < 7)
    ):
        return None
    return name.rstrip(".").casefold()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
