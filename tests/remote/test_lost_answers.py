"""A batch whose answer was lost is asked for again, and means what it meant."""

from __future__ import annotations

import httpx
import pytest

from modelyard.ports.service import CreateVersion, CreateVersions, Search


def lose_once(monkeypatch, transport):
    """Let the server do what it is asked, and the client hear nothing of it the first time; counts the requests."""
    real, asked = transport.client.request, []

    def request(method, url, **facts):
        answer = real(method, url, **facts)
        asked.append(answer.status_code)
        if len(asked) == 1:
            raise httpx.ReadError("the connection was reset")
        return answer

    monkeypatch.setattr(transport.client, "request", request)
    return asked


@pytest.mark.parametrize(
    "facts",
    [
        {"version": "1.1.0"},
        {"version": "1.1.0", "alias": "champion"},
        {"version": "1.1.0", "parent": "fraud"},
        {"alias": "champion", "parent": "fraud"},
    ],
    ids=" ".join,
)
def test_a_batch_may_be_repeated_whatever_its_entries_ask(server, client, monkeypatch, facts):
    service = client()
    first = CreateVersion(name="fraud", version="1.0.0", alias="champion")
    asked = lose_once(monkeypatch, service.transport)
    made = service.create_versions(CreateVersions(versions=(first, CreateVersion(name="fraud", **facts))))
    assert asked == [asked[0]] * 2
    assert [(one.number, one.new) for one in made] == [(1, False), (2, False)]
    assert len(server.service.search(Search(model="fraud")).items) == 2


def test_equal_content_under_the_same_label_is_there_already(client):
    request = CreateVersions(versions=(CreateVersion(name="fraud", version="1.0.0"),))
    (first,), (second,) = client().create_versions(request), client().create_versions(request)
    assert (second.model_id, first.new, second.new) == (first.model_id, True, False)
