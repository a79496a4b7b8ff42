"""Requests that schemathesis draws from the OpenAPI document: whatever it asks, the server does not fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.wire.operations import PREFIX

from .serving import running

pytest.importorskip("schemathesis")

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "unsupported_method"
)


def run(server, folder, *options):
    """The tool's own report; it must have asked something and found nothing."""
    done = subprocess.run(
        [
            *(
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"{server.url}{PREFIX}/openapi.json",
            ),
            *("--checks", CHECKS, "--continue-on-failure", "--seed", "7", "--no-color", *options),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    report = done.stdout + done.stderr
    assert done.returncode == 0, report[-8000:]
    asked = re.search(r"(\d[\d,]*) generated", report)
    assert asked, report
    return int(asked[1].replace(",", ""))


def test_no_request_that_the_document_allows_makes_the_server_fail(tmp_path):
    with running(tmp_path / "registry", "--no-auth") as server:
        server.populate()
        asked = run(server, tmp_path, "--phases", "examples,fuzzing", "--max-examples", "4")
    assert asked > 200


@pytest.mark.long
def test_no_request_of_thousands_makes_the_server_fail(tmp_path):
    with running(tmp_path / "registry", "--no-auth") as server:
        server.populate()
        asked = run(
            server, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "100"
        )
        assert server.http.get("/models").is_success
    assert asked > 10_000
