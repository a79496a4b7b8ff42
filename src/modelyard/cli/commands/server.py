"""``modelyard server``: answer for a registry over HTTP."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.options import verb
from modelyard.cli.session import Session

if TYPE_CHECKING:
    from modelyard.server import Started

ON_THIS_MACHINE = "127.0.0.1,::1"


@verb("server")
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one.  [default: 8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that answer.  [default: 1]")
@click.option("--tls-cert", metavar="FILE", help="Certificate and chain, PEM.")
@click.option("--tls-key", metavar="FILE", help="Private key, PEM.")
@click.option(
    "--behind-proxy",
    is_flag=False,
    flag_value=ON_THIS_MACHINE,
    metavar="[ADDRESSES]",
    help="A proxy in front ends TLS; believe X-Forwarded-* from these (default: this machine).",
)
@click.option("--public-url", metavar="URL", help="Address that callers use, if it is another.")
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="Further name of the server. Repeatable."
)
@click.option("--log-format", type=click.Choice(("auto", "json", "text")), help="Form of log lines.")
@click.option("--grace", type=click.IntRange(0, 3600), metavar="SECONDS", help="For requests when stopping.")
@click.option("--no-auth", is_flag=True, help="Ask nobody for a token. Only on this machine.")
def command(
    session: Session, no_auth: bool, behind_proxy: str | None, hosts: tuple[str, ...], **given: Any
) -> None:
    """Example: modelyard server --port 8000"""
    from modelyard.server import serve
    from modelyard.server.plan import planned

    session.as_server = True
    settings = session.settings()
    if session.place().startswith(("http://", "https://")):
        raise click.UsageError(
            f"The registry is at '{session.place()}', which is a server already. Unset MODELYARD_URL, or name a folder "
            "or a database with --registry."
        )
    chosen = {name: value for name, value in given.items() if value is not None}
    if behind_proxy is not None:
        chosen["behind_proxy"] = tuple(part.strip() for part in behind_proxy.split(",") if part.strip())
    if hosts:
        chosen["hosts"] = (*settings.server.hosts, *hosts)
    asked = dataclasses.replace(settings.server, **chosen)
    people = settings.security.oidc
    plan = planned(asked, people, authenticate=not no_auth, at_terminal=sys.stderr.isatty())
    if no_auth:
        session.note("every program on this machine may do everything here, since --no-auth was given")
    session.absent()  # a file in the folder's place is told as everywhere
    serve(settings, session.location, plan, lambda started: _tell(session, started, no_auth))


def _tell(session: Session, started: Started, open_to_all: bool) -> None:
    data = {
        "url": started.url,
        "location": started.location,
        "token": started.token,
        "expires": started.expires,
    }
    session.answer(data, lambda: _lines(session, started, open_to_all))
    sys.stdout.flush()


def _lines(session: Session, started: Started, open_to_all: bool) -> list[str]:
    lines = [f"Modelyard answers at {session.paint(started.url, 'title')} for {started.location}"]
    if started.token:
        until = f", until {started.expires}" if started.expires else ""
        lines += ["", f"The administrator's token, shown this once{until}:", "", f"  {started.token}", ""]
    if session.quiet:
        return lines
    token = "" if open_to_all else f" MODELYARD_TOKEN={started.token or 'my_...'}"
    header = "" if open_to_all else '-H "Authorization: Bearer $MODELYARD_TOKEN" '
    return [
        *lines,
        "Try, in another shell:",
        "",
        f"  export MODELYARD_URL={started.url}{token}",
        "  modelyard list",
        f"  curl {header}{started.url}/api/v1/whoami",
        "",
        "Stop it with Ctrl-C.",
    ]
