"""The OpenAPI document: valid, complete, and true of the server that gives it."""

from __future__ import annotations

import json
import re

import pytest
from openapi_spec_validator import validate

from modelyard.domain.errors import GateRefused
from modelyard.edge.doorkeeper import Everybody
from modelyard.rest.api import Api
from modelyard.rest.examples import BODIES, DIGEST, QUERIES
from modelyard.rest.openapi import FAILURES, document
from modelyard.wire.operations import PREFIX, TABLE
from modelyard.wire.problems import STATUS, problem
from modelyard.wiring import in_memory


@pytest.fixture(scope="module")
def api():
    service = in_memory()
    yield Api(service, Everybody(None))
    service.close()


@pytest.fixture(scope="module")
def openapi(api):
    return document(api.router.routes)


def operations(openapi):
    return [
        (method, path, one) for path, methods in openapi["paths"].items() for method, one in methods.items()
    ]


def test_the_document_is_valid_openapi_3_1(openapi):
    validate(openapi)


def test_every_route_is_in_the_document_and_nothing_else_is(api, openapi):
    routes = {(r.method.lower(), r.path) for r in api.router.routes if r.path.startswith(f"{PREFIX}/")}
    pages = {(method, path) for method, path in routes if path.startswith(f"{PREFIX}/docs")}
    assert {(method, path) for method, path, _ in operations(openapi)} == routes - pages


def test_every_row_of_the_table_is_an_operation_of_its_own_name(openapi):
    names = [one["operationId"] for _, _, one in operations(openapi)]
    assert len(set(names)) == len(names)
    assert {row.name.strip("_") for row in TABLE} <= set(names)


def test_every_operation_and_every_record_says_what_it_is(openapi):
    silent = [one["operationId"] for _, _, one in operations(openapi) if not one["description"]]
    schemas = openapi["components"]["schemas"]
    assert silent == []
    assert [name for name, one in schemas.items() if "description" not in one] == []


def test_descriptions_are_markdown_for_people_who_never_see_the_code(openapi):
    text = json.dumps(openapi)
    assert not re.findall(r"``|:(?:meth|class|func):", text)


def test_every_reference_leads_somewhere(openapi):
    parts = openapi["components"]
    for reference in set(re.findall(r'"#/components/(\w+/\w+)"', json.dumps(openapi))):
        section, name = reference.split("/")
        assert name in parts[section]


def test_every_parameter_in_an_address_is_described(openapi):
    for _, path, one in operations(openapi):
        named = [p["name"] for p in one["parameters"] if p["in"] == "path"]
        assert sorted(named) == sorted(re.findall(r"{(\w+)}", path))


def test_the_problem_schema_is_what_problems_look_like(openapi):
    schema = openapi["components"]["schemas"]["Problem"]
    told = problem(GateRefused("no", reasons=["a"], data={"n": 1}), request_id="x")
    assert set(schema["properties"]) == set(told)
    assert set(schema["required"]) == set(told) - {"request_id"}


def test_every_status_of_an_error_is_described():
    assert set(STATUS.values()) - {502} <= set(
        FAILURES
    )  # 502 is what clients call a server they cannot reach


def test_what_is_taken_has_no_room_for_more_and_what_is_given_is_complete(openapi):
    schemas = openapi["components"]["schemas"]
    promote, promotion = schemas["PromoteRequest"], schemas["Promotion"]
    assert promote["additionalProperties"] is False
    assert promote["required"] == ["target"]
    assert "ref" not in promote["properties"]  # it is in the address
    assert sorted(promotion["required"]) == sorted(promotion["properties"])


def test_every_example_is_answered_as_the_document_says(server, openapi):
    jsonschema = pytest.importorskip("jsonschema")
    found = {one["operationId"]: one for _, _, one in operations(openapi)}
    for name in (*BODIES, *QUERIES):
        answer = server.example(name)
        assert answer.status_code < 300, answer.text
        content = found[name]["responses"][str(answer.status_code)]["content"]
        schema = content["application/json"]["schema"]
        jsonschema.Draft202012Validator({**schema, "components": openapi["components"]}).validate(
            answer.json()
        )


def test_the_server_gives_the_document_to_those_it_knows_only(server, openapi):
    answer = server.http.get("/openapi.json")
    assert set(openapi["paths"]) <= set(answer.json()["paths"])
    again = server.http.get("/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert server.http.get("/openapi.json", headers={"Authorization": ""}).status_code == 401


def test_uploads_are_described_as_bytes(openapi):
    put = openapi["paths"][f"{PREFIX}/blobs/{{digest}}"]["put"]
    assert "application/octet-stream" in put["requestBody"]["content"]
    assert DIGEST in json.dumps(put)
