"""What a diagnosis says of the way a server would stand here: each doubt with what to do about it."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from modelyard.cli import diagnosis_posture
from modelyard.wiring import in_folder

NAMES = {
    *("P1 address", "P2 first", "P3 tokens", "P4 people", "P7 hosts", "P10 secrets"),
    *("P11 limits", "P13 trust", "P19 logs", "P20 floors", "P22 user"),
}


def posture(cli: Any, *words: str, code: int | None = None) -> dict[str, tuple[str, str]]:
    """The lines about posture, by topic."""
    import json

    from click.testing import CliRunner

    from modelyard.cli.main import program

    result = CliRunner().invoke(program, ["doctor", "--json", *words])
    assert code is None or result.exit_code == code, result.output
    lines = json.loads(result.stdout)["lines"]
    return {line["topic"]: (line["level"], line["text"]) for line in lines if line["topic"][:1] == "P"}


def config(place: Path, text: str, mode: int = 0o600) -> None:
    path = place / "modelyard.yaml"
    path.write_text(text)
    path.chmod(mode)


def test_a_folder_that_no_server_answers_for_is_asked_nothing_of_this(fraud: Any) -> None:
    assert posture(fraud) == {}


def test_a_server_gets_a_line_for_every_question(fraud: Any) -> None:
    found = posture(fraud, "--server")
    assert found.keys() == NAMES
    assert {topic for topic, (level, _) in found.items() if level != "ok"} <= {"P11 limits", "P22 user"}


def test_every_level_comes_with_a_remedy(fraud: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    config(place, "security: {trust: ['evil.*']}\nserver: {access_log: false}\n")
    found = posture(fraud, "--server")
    doubts = {topic: text for topic, (level, text) in found.items() if level != "ok"}
    assert doubts.keys() == {"P11 limits", "P13 trust", "P19 logs", "P22 user"}
    assert all(": " in text for text in doubts.values())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert posture(fraud, "--server")["P22 user"] == ("ok", "not root")


@pytest.mark.parametrize(
    ("settings", "topic", "told"),
    [
        ("server: {host: 0.0.0.0}", "P1 address", "unencrypted"),
        ("server: {tls_cert: /nowhere.pem, tls_key: /nowhere.key}", "P1 address", "PEM file"),
        ("server: {host: 0.0.0.0, behind_proxy: [10.0.0.1]}", "P7 hosts", "set server.public_url"),
        ("security: {oidc: {issuer: 'http://login.example'}}", "P1 address", "client_id"),
    ],
)
def test_what_would_not_be_safe_or_not_work_fails(
    fraud: Any, place: Path, settings: str, topic: str, told: str
) -> None:
    config(place, settings)
    level, text = posture(fraud, "--server", code=7)[topic]
    assert level == "fail"
    assert told in text


def test_people_and_their_sessions_are_looked_at(fraud: Any, place: Path) -> None:
    oidc = "issuer: 'https://login.example', client_id: x, grants: ['* -> writer'], hours: 500"
    config(place, f"security: {{oidc: {{{oidc}}}}}\nserver: {{public_url: 'https://models.example'}}\n")
    found = posture(fraud, "--server")
    assert found["P4 people"][0] == found["P5 sessions"][0] == "warn"
    assert "grant that to a group" in found["P4 people"][1]
    assert "lower security.oidc.hours" in found["P5 sessions"][1]


def test_secrets_in_a_file_that_others_may_read_fail_without_a_server_too(fraud: Any, place: Path) -> None:
    config(place, "storage: {s3: {secret_key: hunter2}}\n", 0o644)
    for words in ((), ("--server",)):
        level, text = posture(fraud, *words, code=7)["P10 secrets"]
        assert level == "fail"
        assert "chmod 600" in text
        assert "hunter2" not in text
    config(place, "storage: {s3: {secret_key: hunter2}}\n")
    assert "P10 secrets" not in posture(fraud)


def test_tokens_without_an_end_and_the_one_of_the_first_start_are_doubts(fraud: Any, place: Path) -> None:
    service = in_folder(place / "model_registry")
    made = service.access.first_token()
    service.close()
    fraud("token", "create", "nightly", "--grant", "reader", "--forever")
    found = posture(fraud)
    assert found["P2 first"][0] == found["P3 tokens"][0] == "warn"
    assert f"revoke {made.token.token_id}" in found["P2 first"][1]
    assert "1 token without an end (nightly)" in found["P3 tokens"][1]
    for token in (made.token.token_id, "nightly"):
        fraud("token", "revoke", token)
    assert posture(fraud) == {}


def test_what_is_stored_and_what_is_sent_both_need_a_limit(fraud: Any, place: Path) -> None:
    stored, sent = "quotas: {bytes_stored: 1TiB}", "server: {limits: {upload_bytes_a_day: 10GiB}}"
    for settings, left in (
        (stored, "set server.limits.upload_bytes_a_day"),
        (sent, "set quotas.bytes_stored"),
    ):
        config(place, settings)
        level, told = posture(fraud, "--server")["P11 limits"]
        assert level == "warn"
        assert told.endswith(left)
    config(place, f"{stored}\n{sent}")
    assert posture(fraud, "--server")["P11 limits"][0] == "ok"


def test_packages_with_known_holes_fail(fraud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        diagnosis_posture, "FLOORS", (("click", "9999", "CVE-0"), ("nobodys-package", "1", ""))
    )
    level, text = posture(fraud, code=7)["P20 floors"]
    assert level == "fail"
    assert "pip install 'click>=9999'" in text
    assert "nobodys" not in text


@pytest.mark.parametrize(
    ("one", "other"), [("2.6.0+cpu", "2.6"), ("2.10.0", "2.9"), ("3.13.2", "3.13.2"), ("0.14rc1", "0.13")]
)
def test_versions_are_compared_by_their_numbers(one: str, other: str) -> None:
    assert diagnosis_posture._numbers(one) >= diagnosis_posture._numbers(other)


def certificate(place: Path, days: int) -> str:
    """Settings with a certificate that ends in so many days."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "models.example")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=100))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (place / "cert.pem").write_bytes(made.public_bytes(pem))
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (place / "key.pem").write_bytes(plain)
    (place / "key.pem").chmod(0o600)
    return f"server: {{tls_cert: '{place}/cert.pem', tls_key: '{place}/key.pem'}}\n"


@pytest.mark.parametrize(
    ("days", "level", "told"),
    [
        (90, "ok", "fit, until"),
        (5, "warn", "ends in 5 days: renew"),
        (-5, "fail", "ended"),
        (0, "warn", "0 days"),
    ],
)
def test_a_certificate_is_looked_at_before_callers_do(
    fraud: Any, place: Path, days: int, level: str, told: str
) -> None:
    config(place, certificate(place, days))
    found = posture(fraud, "--server")["P1 TLS"]
    assert found[0] == level
    assert told in found[1]


def test_a_key_that_others_may_read_or_that_does_not_fit_fails(fraud: Any, place: Path) -> None:
    config(place, certificate(place, 90))
    (place / "key.pem").chmod(0o640)
    assert "chmod 600" in posture(fraud, "--server", code=7)["P1 TLS"][1]
    kept = (place / "key.pem").read_bytes()
    certificate(place, 90)
    (place / "key.pem").write_bytes(kept)
    assert "the key that belongs to it" in posture(fraud, "--server", code=7)["P1 address"][1]
