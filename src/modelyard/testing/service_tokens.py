"""Tokens: made, listed and revoked, wherever the registry is."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from modelyard.domain.errors import InvalidInput, NotFound
from modelyard.domain.permissions import Action, Grant
from modelyard.domain.records import Actor, ModelStage
from modelyard.domain.tokens import NewToken
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock
from modelyard.testing.service_room import ServiceRoom

READER = (Grant(role="reader"),)


class Admitting(ServiceRoom):
    """``create_token``, ``list_tokens``, ``revoke_token``."""

    def token(self, service: RegistryService, name: str = "nightly", **facts: Any) -> NewToken:
        return service.create_token(ask.CreateToken(name=name, **{"grants": READER, **facts}))

    def test_a_token_is_answered_with_its_secret_once(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        facts: dict[str, Any] = {
            "grants": (
                Grant(
                    role="approver",
                    models="risk/*",
                    stages=(ModelStage.STAGING,),
                    actions=(Action.READ, Action.PROMOTE),
                ),
                Grant(role="reader"),
            ),
            "owner": Actor(name="trainer", kind="service"),
            "expires_at": clock.now() + timedelta(days=1),
        }
        made = self.token(service, reason="for the night", **facts)
        assert made.secret.startswith("my_")
        assert made.secret not in repr(made)
        token = made.token
        assert (token.name, token.created_by, token.used_at, token.digest) == ("nightly", "ann", None, "")
        assert (token.grants, token.owner, token.expires_at) == tuple(facts.values())
        assert service.list_tokens().items == (token,)

    def test_a_token_belongs_to_whoever_makes_it_unless_it_is_said(self, service: RegistryService) -> None:
        assert self.token(service).token.owner.name == "ann"

    def test_two_tokens_have_nothing_in_common_but_their_name(self, service: RegistryService) -> None:
        first, second = self.token(service), self.token(service)
        assert first.secret != second.secret
        assert first.token.token_id != second.token.token_id

    def test_making_and_revoking_is_in_the_history_without_the_secret(self, service: RegistryService) -> None:
        made = self.token(service, reason="for the night")
        service.revoke_token(ask.RevokeToken(token=made.token.token_id, reason="found in a log"))
        log = self.log(service, "")
        assert [(e.action, e.reason) for e in log] == [
            ("token.created", "for the night"),
            ("token.revoked", "found in a log"),
        ]
        assert {event.subject for event in log} == {f"token:{made.token.token_id}"}
        told = str([asdict(event) for event in log])
        assert "nightly" in told
        assert made.secret not in told
        assert service.verify_audit().ok

    def test_a_revoked_token_stays_in_the_list_and_is_revoked_once(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        made = self.token(service)
        ended = service.revoke_token(ask.RevokeToken(token=made.token.token_id))
        assert (ended.revoked_at, ended.revoked_by, ended.digest) == (clock.now(), "ann", "")
        clock.advance(days=1)
        assert service.revoke_token(ask.RevokeToken(token=made.token.token_id.upper())) == ended
        assert service.list_tokens().items == (ended,)
        assert len(self.log(service, "")) == 2

    def test_a_token_can_be_revoked_by_a_name_that_only_one_valid_one_has(
        self, service: RegistryService, clock: SettableClock
    ) -> None:
        old = self.token(service, expires_at=clock.now() + timedelta(hours=1))
        clock.advance(days=1)
        new = self.token(service)
        assert service.revoke_token(ask.RevokeToken(token="nightly")).token_id == new.token.token_id
        with self.refused(service, NotFound, "nightly"):
            service.revoke_token(ask.RevokeToken(token="nightly"))
        assert service.list_tokens().items[0] == old.token

    def test_a_name_that_several_valid_tokens_have_revokes_none(self, service: RegistryService) -> None:
        ids = {self.token(service).token.token_id for _ in range(2)}
        with self.refused(service, InvalidInput, "2 valid tokens") as caught:
            service.revoke_token(ask.RevokeToken(token="nightly"))
        assert all(token_id in caught.value.detail for token_id in ids)

    @pytest.mark.parametrize("word", ["nothing", "0" * 26, "fraud#1"])
    def test_what_names_no_token_revokes_none(self, service: RegistryService, word: str) -> None:
        self.token(service)
        with self.refused(service, NotFound):
            service.revoke_token(ask.RevokeToken(token=word))

    def test_tokens_are_listed_page_by_page(self, service: RegistryService) -> None:
        made = [self.token(service, f"t{number}").token for number in range(5)]
        page = service.list_tokens(2)
        found = list(page.items)
        while page.next:
            page = service.list_tokens(2, page.next)
            found += page.items
        assert found == made

    @pytest.mark.parametrize(
        ("facts", "match"),
        [
            ({"grants": ()}, "grants"),
            ({"grants": READER * 51}, "grants"),
            ({"grants": (Grant(role="owner"),)}, "owner"),
            ({"grants": (Grant(role="reader", models=""),)}, "pattern"),
            ({"grants": (Grant(role="reader", models="[a-z]"),)}, "pattern"),
            ({"grants": (Grant(role="reader", actions=(Action.WRITE,)),)}, "may do none"),
            ({"name": ""}, "name"),
            ({"name": " x"}, "name"),
            ({"name": "x" * 201}, "name"),
            ({"name": "two\nlines"}, "line"),
            ({"owner": Actor(name="x", kind="robot")}, "kind"),
            ({"owner": Actor(name="")}, "owner"),
            ({"days": 0}, "expires_at"),
            ({"days": -1}, "expires_at"),
            ({"days": 4000}, "expires_at"),
        ],
    )
    def test_a_malformed_token_is_not_made(
        self, service: RegistryService, clock: SettableClock, facts: dict[str, Any], match: str
    ) -> None:
        if "days" in facts:
            facts = {"expires_at": clock.now() + timedelta(days=facts["days"])}
        with self.refused(service, InvalidInput, match):
            self.token(service, **facts)
        assert service.list_tokens().items == ()

    def test_tokens_are_in_no_export(self, service: RegistryService) -> None:
        self.make(service)
        made = self.token(service)
        assert made.token.token_id not in repr(asdict(service.export()))

    def test_where_nobody_logged_in_there_is_no_session_to_end(self, service: RegistryService) -> None:
        assert service.list_sessions().items == ()
        with pytest.raises(NotFound):
            service.end_sessions(ask.EndSessions(who="ann"))
