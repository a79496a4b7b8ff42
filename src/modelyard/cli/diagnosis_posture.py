"""How a server that is about to run here stands: what it would let in, whom it would believe, what it would give away.

One function per question; the numbers are those of the table in docs/explanation/security.md. A folder that no server
answers for is asked only what matters there too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelyard.cli import figures
from modelyard.cli.diagnosis_line import Line
from modelyard.domain.errors import InvalidConfig, MissingDependency

if TYPE_CHECKING:
    from datetime import datetime

    from modelyard.cli.session import Session
    from modelyard.domain.tokens import Token
    from modelyard.server.plan import Plan

FLOORS: Final = (
    ("starlette", "0.49.1", "CVE-2025-62727: a Range header costs minutes of work"),
    ("joserfc", "1.6", "older ones accept more than a login should"),
    ("torch", "2.6", "CVE-2025-32434: weights_only runs code"),
    ("keras", "3.13.2", "CVE-2025-9905 and later ones: safe_mode is ignored"),
    ("skops", "0.13", "CVE-2025-54412, -54413, -54886: untrusted types are called"),
)
"""Packages that must not be older, where they are installed, and why."""

LONG_SESSION: Final = 7 * 24
"""Hours after which a session that still holds is a doubtful convenience."""
SOON: Final = 21
"""Days before the end of a certificate in which somebody should be told."""


def posture(session: Session) -> Iterator[Line]:
    """All of it, a question that cannot be asked here left out."""
    yield from _secrets(session)
    yield from _trust(session)
    yield from _floors(session)
    if session.folder() is not None and not session.absent() and not session.records_elsewhere():
        yield from _tokens(session)
    if not session.as_server:
        return
    yield from _user()
    plan = _plan(session)
    if isinstance(plan, Line):
        yield plan
        return
    for question in (_address, _people, _hosts, _certificate, _quotas, _logs):
        yield from question(session, plan)


def _said(topic: str, wrong: str, fine: str, level: str = "warn") -> Line:
    return Line(level=level if wrong else "ok", topic=topic, text=wrong or fine)


# --- asked of every registry -----------------------------------------------------------------------------------------


def _secrets(session: Session) -> Iterator[Line]:
    """Passwords and keys in files that others may read."""
    settings = session.settings()
    files = sorted({name for key, name in _secret_files(settings.sources)})
    open_ = [name for name in files if stat.S_IMODE(Path(name).stat().st_mode) & 0o077]
    if open_ or session.as_server:
        wrong = (
            f"others may read the secrets in {', '.join(open_)}: chmod 600, or use variables" if open_ else ""
        )
        yield _said("P10 secrets", wrong, "no file that others may read holds one", "fail")


def _secret_files(sources: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    from modelyard.settings.table import find

    for key, source in sources:
        name, _, line = source.rpartition(":")
        if find(key).is_confidential and line.isdigit() and Path(name).is_file():
            yield key, name


def _trust(session: Session) -> Iterator[Line]:
    """Names that pickles may look up beyond the built-in list."""
    wide = [pattern for pattern in session.settings().security.trust if pattern.endswith(".*")]
    if wide or session.as_server:
        wrong = (
            f"security.trust lets pickles call anything in {', '.join(wide)}: name classes" if wide else ""
        )
        yield _said("P13 trust", wrong, "pickles may look up listed names only")


def _floors(session: Session) -> Iterator[Line]:
    old = list(_too_old())
    if old or session.as_server:
        yield _said(
            "P20 floors", "; ".join(old), "no package with a known hole that concerns this one", "fail"
        )


def _too_old() -> Iterator[str]:
    from importlib.metadata import PackageNotFoundError, version

    for name, floor, why in FLOORS:
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        if _numbers(found) < _numbers(floor):
            yield f"{name} {found} is older than {floor} ({why}): pip install '{name}>={floor}'"


def _numbers(version: str) -> tuple[int, ...]:
    """``2.6.0+cpu`` as numbers, which is all that floors need."""
    parts = version.partition("+")[0].split(".")
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in parts[:3])


def _tokens(session: Session) -> Iterator[Line]:
    tokens = [token for token in session.open().list_tokens() if token.state(session.now) == "valid"]
    if not tokens and not session.as_server:
        return
    yield _first(tokens)
    endless = [token for token in tokens if token.expires_at is None]
    wrong = ""
    if endless:
        names = ", ".join(sorted({token.name for token in endless})[:5])
        wrong = f"{figures.plural(len(endless), 'token')} without an end ({names}): make ones that expire, revoke these"
    yield _said("P3 tokens", wrong, f"{figures.plural(len(tokens), 'valid token')}, each with an end")


def _first(tokens: list[Token]) -> Line:
    left = [token for token in tokens if token.first]
    wrong = ""
    if left:
        until = f" until {figures.local(left[0].expires_at)}" if left[0].expires_at else ""
        wrong = (
            f"the first administrator's token still holds{until}: make your own with `modelyard token create "
            f"NAME --grant admin` and revoke {left[0].token_id}"
        )
    return _said("P2 first", wrong, "no token of a first start is left; there are no passwords")


# --- asked of a server -----------------------------------------------------------------------------------------------


def _user() -> Iterator[Line]:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    wrong = "a server started here would run as root: use a user of its own" if root else ""
    yield _said("P22 user", wrong, "not root")


def _plan(session: Session) -> Plan | Line:
    """The server as the settings describe it, or what is wrong with them."""
    from modelyard.server.plan import planned

    settings = session.settings()
    try:
        plan = planned(settings.server, settings.security.oidc)
        plan.check()
    except (InvalidConfig, MissingDependency) as error:
        return Line(level="fail", topic="P1 address", text=error.detail)
    return plan


def _address(_: Session, plan: Plan) -> Iterator[Line]:
    """``Plan.check`` has refused what is open to strangers."""
    way = "this machine only" if plan.is_local else "TLS" if plan.encrypted else "a proxy that ends TLS"
    yield Line(level="ok", topic="P1 address", text=f"{plan.host}: {way}")


def _people(session: Session, plan: Plan) -> Iterator[Line]:
    if plan.oidc is None:
        yield Line(level="ok", topic="P4 people", text="nobody logs in: tokens only")
        return
    everybody = [str(grant) for group, grant in plan.oidc.grants if group == "*"]
    wide = [text for text in everybody if not text.startswith("reader")]
    wrong = (
        f"whoever can log in at the provider is {' and '.join(wide)}: grant that to a group" if wide else ""
    )
    yield _said("P4 people", wrong, f"they log in at {plan.oidc.issuer}")
    hours = session.settings().security.oidc.hours
    long = f"sessions hold for {hours} hours: lower security.oidc.hours" if hours > LONG_SESSION else ""
    plain = "" if plan.oidc.secure else "the cookie crosses the network in the clear: use an https public_url"
    if plain and plan.is_local:
        plain = ""
    yield _said("P5 sessions", plain or long, f"end after {hours} hours")


def _hosts(_: Session, plan: Plan) -> Iterator[Line]:
    wrong = ""
    if plan.behind_proxy and not plan.public_url and not plan.hosts:
        wrong = "callers of the proxy name its host, which is refused: set server.public_url"
    names = ", ".join(filter(None, (plan.public_url, *plan.hosts))) or "its own address"
    yield _said("P7 hosts", wrong, f"answers to {names}", "fail")


def _certificate(session: Session, plan: Plan) -> Iterator[Line]:
    """``Plan.check`` has seen that the two fit."""
    if plan.tls_cert is None or plan.tls_key is None:
        return
    if stat.S_IMODE(Path(plan.tls_key).stat().st_mode) & 0o077:
        text = f"others may read the private key: chmod 600 '{plan.tls_key}'"
        yield Line(level="fail", topic="P1 TLS", text=text)
        return
    yield _lasting(plan.tls_cert, session.now)


def _lasting(path: str, now: datetime) -> Line:
    try:
        from cryptography import x509
    except ImportError:
        return Line(level="ok", topic="P1 TLS", text="certificate and key fit; until when was not looked at")
    ends = x509.load_pem_x509_certificates(Path(path).read_bytes())[0].not_valid_after_utc
    days = (ends - now).days
    if ends <= now:
        return Line(level="fail", topic="P1 TLS", text=f"the certificate ended {ends:%Y-%m-%d}: renew it")
    wrong = f"the certificate ends in {figures.plural(days, 'day')}: renew it" if days < SOON else ""
    return _said("P1 TLS", wrong, f"certificate and key fit, until {ends:%Y-%m-%d}")


def _quotas(session: Session, plan: Plan) -> Iterator[Line]:
    """Both: one counts what is registered for good, the other also what is sent and never registered."""
    limits = {
        "quotas.bytes_stored": session.settings().quotas.bytes_stored,
        "server.limits.upload_bytes_a_day": plan.limits.upload_bytes_a_day,
    }
    missing = [name for name, limit in limits.items() if limit is None]
    wrong = f"a writer may fill the disk: set {' and '.join(missing)}" if missing else ""
    yield _said("P11 limits", wrong, "what writers send and store has a limit")


def _logs(_: Session, plan: Plan) -> Iterator[Line]:
    wrong = "" if plan.access_log else "nothing tells who asked what: set server.access_log to true"
    spans = ", and a span" if plan.tracing else ""
    yield _said("P19 logs", wrong, f"one line for each request{spans}, without its contents")
