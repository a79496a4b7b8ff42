"""What a server refuses to be, and by which names it answers."""

from __future__ import annotations

import subprocess

import pytest

from modelyard.domain.errors import InvalidConfig, InvalidInput
from modelyard.edge.hosts import Hosts
from modelyard.server.plan import Plan, planned
from modelyard.settings import Settings


def pair(folder, *protection: str) -> tuple[str, str]:
    """The paths of a new certificate and its key, in a new folder."""
    folder.mkdir()
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 1 -subj /CN=localhost"
    files = ["-keyout", key, "-out", cert, *(protection or ("-nodes",))]
    subprocess.run(["openssl", *words.split(), *files], check=True, capture_output=True)
    return cert, key


def test_the_defaults_listen_on_this_machine_and_ask_for_a_token() -> None:
    plan = planned(Settings().server)
    plan.check()
    assert (plan.host, plan.authenticate, plan.workers) == ("127.0.0.1", True, 1)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "registry.example"])
def test_an_address_beyond_this_machine_needs_encryption(host: str) -> None:
    with pytest.raises(InvalidConfig, match=r"unencrypted.*--tls-cert.*--behind-proxy"):
        Plan(host=host).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_machine_needs_none(host: str) -> None:
    Plan(host=host).check()


def test_with_a_proxy_or_a_certificate_any_address_will_do(tmp_path) -> None:
    cert, key = pair(tmp_path / "tls")
    Plan(host="0.0.0.0", behind_proxy=("10.0.0.1",)).check()
    Plan(host="0.0.0.0", tls_cert=cert, tls_key=key).check()


@pytest.mark.parametrize(
    "plan",
    [
        Plan(host="0.0.0.0", authenticate=False, behind_proxy=("10.0.0.1",)),
        Plan(authenticate=False, behind_proxy=("::1",)),
    ],
)
def test_nobody_beyond_this_machine_is_let_in_without_a_token(plan: Plan) -> None:
    with pytest.raises(InvalidConfig, match="--no-auth"):
        plan.check()


def test_a_certificate_needs_its_key_and_both_must_be_readable(tmp_path) -> None:
    with pytest.raises(InvalidConfig, match="belong together"):
        Plan(tls_cert="cert.pem").check()
    missing = str(tmp_path / "cert.pem")
    with pytest.raises(InvalidConfig, match="tls_cert: expected a PEM file"):
        Plan(tls_cert=missing, tls_key=missing).check()


def test_a_key_of_another_certificate_is_refused_before_anything_is_opened(tmp_path) -> None:
    (cert, _), (_, foreign) = pair(tmp_path / "one"), pair(tmp_path / "other")
    with pytest.raises(InvalidConfig, match="KEY_VALUES_MISMATCH") as refused:
        Plan(workers=2, tls_cert=cert, tls_key=foreign).check()
    assert refused.value.detail.startswith(f"tls: {cert} and {foreign} are no certificate and the key")


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path) -> None:
    cert, key = pair(tmp_path / "tls", "-passout", "pass:secret")
    with pytest.raises(InvalidConfig, match=f"tls: {key} is encrypted.*give a key without"):
        Plan(tls_cert=cert, tls_key=key).check()


def test_what_is_no_certificate_or_no_file_is_refused(tmp_path) -> None:
    cert, key = pair(tmp_path / "tls")
    for wrong in ((key, key), (cert, cert)):
        with pytest.raises(InvalidConfig, match=r"both in PEM .*give two files that fit"):
            Plan(tls_cert=wrong[0], tls_key=wrong[1]).check()
    with pytest.raises(InvalidConfig, match="Is a directory"):
        Plan(tls_cert=str(tmp_path), tls_key=key).check()


@pytest.mark.parametrize("peer", ["*", "proxy.example", "10.0.0.0/40"])
def test_a_proxy_is_named_by_address_only(peer: str) -> None:
    with pytest.raises(InvalidConfig, match="behind_proxy"):
        Plan(behind_proxy=(peer,)).check()


def test_the_address_told_is_one_that_callers_can_use() -> None:
    assert Plan(host="0.0.0.0").url(8000) == "http://127.0.0.1:8000"
    assert Plan(host="::1").url(8000) == "http://[::1]:8000"
    assert Plan(host="10.0.0.1", tls_cert="x", tls_key="y").url(443) == "https://10.0.0.1:443"
    assert Plan(public_url="https://models.example/").url(8000) == "https://models.example"


def asked(hosts: Hosts, *names: str) -> bool:
    try:
        hosts.check([(b"host", name.encode()) for name in names])
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "[::1]:8000", "[::1]", "localhost."]
)
def test_this_machine_is_known_by_its_usual_names(name: str) -> None:
    assert asked(Plan().known_hosts(), name)


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "127.0.0.1.evil",
        "",
        "localhost:80:80",
        "localhost:x",
        "[::1",
        "[::1]x",
        ":80",
        "10.0.0.1",
        "localhost:8000000",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    assert not asked(Plan().known_hosts(), name)


def test_no_host_and_two_hosts_are_refused() -> None:
    assert not asked(Plan().known_hosts())
    assert not asked(Plan().known_hosts(), "localhost", "localhost")


def test_a_server_that_listens_everywhere_takes_any_address_and_no_further_name() -> None:
    hosts = Plan(host="0.0.0.0", public_url="https://models.example/x", hosts=("extra",)).known_hosts()
    assert all(asked(hosts, name) for name in ("10.1.2.3:8000", "[fe80::1]", "models.example", "extra:80"))
    assert not asked(hosts, "other.example")
