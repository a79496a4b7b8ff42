"""Signatures of versions, and the steps that their changes call for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelyard.domain.errors import BumpRefused, GateRefused, InvalidInput
from modelyard.domain.records import ModelVersion
from modelyard.domain.signature import Field, Signature
from modelyard.domain.signature_mlflow import to_mlflow
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.service_room import HARMLESS, ServiceRoom

ONE: dict[str, Any] = {"inputs": [{"name": "age", "type": "float64"}], "outputs": [{"type": "int64"}]}
MORE: dict[str, Any] = {
    "inputs": [*ONE["inputs"], {"name": "city", "type": "string", "optional": True}],
    "outputs": ONE["outputs"],
}
OTHER: dict[str, Any] = {"inputs": [{"name": "income", "type": "float64"}], "outputs": [{"type": "int64"}]}


class Stepping(ServiceRoom):
    """The signature of a version, and the label that its change leads to."""

    def labels(self, service: RegistryService, *signatures: Any, **facts: Any) -> list[str]:
        """Labels that versions with these signatures get, one after the other."""
        return [self.make(service, signature=one, **facts).version for one in signatures]

    # --- what is kept ---

    @pytest.mark.parametrize(
        "given",
        [
            ONE,
            {"inputs": [{"optional": False, "type": "double", "name": "age"}], "outputs": [{"type": "long"}]},
            to_mlflow(Signature(inputs=(Field(name="age", type="float64"),), outputs=(Field(type="int64"),))),
        ],
        ids=["its own form", "with MLflow's words", "MLflow's document"],
    )
    def test_whichever_form_it_is_given_in_one_form_is_kept(
        self, service: RegistryService, given: dict[str, Any]
    ) -> None:
        made = self.make(service, data=HARMLESS, version="1.0.0", signature=given)
        assert made.signature == ONE
        assert service.get_version(made.model_id).signature == ONE
        assert self.make(service, data=HARMLESS, version="1.0.0", signature=ONE) == made

    def test_an_idempotency_key_means_the_same_in_every_form(self, service: RegistryService) -> None:
        first = self.make(service, signature=ONE, idempotency_key="k")
        words = {"outputs": [{"type": "long"}], "inputs": json.dumps(ONE["inputs"])}
        assert self.make(service, signature=words, idempotency_key="k") == first

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({}, "nothing is described"),
            ({"columns": ["age"]}, "'columns'"),
            ({"inputs": [{"name": "age", "type": "numeric"}]}, "'numeric'"),
            ({"inputs": [{"name": "age", "type": "int8"}] * 2}, "'age' stands twice"),
            ("age", "'age'"),
        ],
    )
    def test_what_is_no_signature_is_refused(self, service: RegistryService, given: Any, words: str) -> None:
        with self.refused(service, InvalidInput, words):
            self.make(service, signature=given)

    # --- the next label ---

    def test_without_a_label_the_change_of_the_signature_makes_the_step(
        self, service: RegistryService
    ) -> None:
        assert self.labels(service, ONE, ONE, MORE, MORE, ONE, OTHER) == [
            "0.1.0",
            "0.1.1",
            "0.2.0",
            "0.2.1",
            "1.0.0",
            "2.0.0",
        ]

    def test_a_version_without_signature_asks_for_no_step(self, service: RegistryService) -> None:
        assert self.labels(service, ONE, None, OTHER) == ["0.1.0", "0.1.1", "0.1.2"]

    def test_the_step_is_counted_from_the_highest_label_and_its_signature(
        self, service: RegistryService
    ) -> None:
        self.make(service, version="2.0.0", signature=MORE)
        self.make(service, version="1.0.0", signature=ONE)
        assert self.labels(service, MORE) == ["2.0.1"]

    def test_a_deleted_version_still_tells_what_consumers_had(self, service: RegistryService) -> None:
        made = self.make(service, signature=ONE)
        service.delete(ask.Delete(ref=made.model_id))
        assert self.labels(service, OTHER) == ["1.0.0"]

    def test_after_a_free_label_counting_starts_and_nothing_is_compared(
        self, service: RegistryService
    ) -> None:
        self.make(service, version="alpha", signature=ONE)
        assert self.labels(service, OTHER) == ["0.1.0"]

    # --- a step that is asked for ---

    def test_a_larger_step_than_needed_may_be_asked_for(self, service: RegistryService) -> None:
        self.make(service, signature=ONE)
        assert self.labels(service, ONE, bump="major") == ["1.0.0"]

    @pytest.mark.parametrize(
        ("new", "bump", "needed", "field"),
        [
            (OTHER, "patch", "major", "age"),
            (OTHER, "minor", "major", "age"),
            (MORE, "patch", "minor", "city"),
        ],
    )
    def test_a_step_that_is_too_small_is_refused_and_the_field_is_named(
        self, service: RegistryService, new: Any, bump: str, needed: str, field: str
    ) -> None:
        first = self.make(service, signature=ONE)
        with self.refused(service, BumpRefused, f"'{field}'") as caught:
            self.make(service, signature=new, bump=bump)
        assert caught.value.data["needed"] == needed
        assert caught.value.data["before"] == first.model_id
        assert field in caught.value.data["fields"]
        assert any(f"'{field}'" in reason for reason in caught.value.reasons)
        assert needed in str(caught.value)

    def test_a_reason_overrides_and_is_kept_with_what_it_overrode(self, service: RegistryService) -> None:
        self.make(service, signature=ONE)
        with self.refused(service, BumpRefused):
            self.make(service, signature=OTHER, bump="patch", override_reason="  ")
        made = self.make(service, signature=OTHER, bump="patch", override_reason="nobody uses it yet")
        assert (made.version, made.override_reason) == ("0.1.1", "nobody uses it yet")
        assert len(made.warnings) == 1
        assert "calls for major: input 'age': removed" in made.warnings[0]
        assert service.get_version(made.model_id) == made
        assert self.log(service)[-1].reason == "nobody uses it yet"

    def test_many_fields_are_named_shortly_and_all_are_reasons(self, service: RegistryService) -> None:
        many = {"inputs": [{"name": f"x{i}", "type": "int8"} for i in range(9)]}
        self.make(service, signature=many)
        with self.refused(service, BumpRefused, r"'x2': removed; and 6 more") as caught:
            self.make(service, signature={"inputs": []}, bump="minor")
        assert len(caught.value.reasons) == 9

    # --- a label that was chosen ---

    def test_a_label_that_is_too_small_a_step_is_kept_with_a_warning(self, service: RegistryService) -> None:
        self.make(service, version="1.4.0", signature=ONE)
        made = self.make(service, version="1.4.1", signature=OTHER)
        (warning,) = made.warnings
        assert warning.startswith(
            "from 1.4.0 to 1.4.1 is a patch step, but the change of the signature calls for "
        )
        assert warning.endswith(" major: input 'age': removed; input 'income': added, and required")
        assert service.get_version("fraud:1.4.1").warnings == made.warnings

    @pytest.mark.parametrize(
        ("label", "signature"),
        [("2.0.0", OTHER), ("1.4.1", ONE), ("1.5.0", MORE), ("v2.0", OTHER), ("1.4.0-rc.1", OTHER)],
    )
    def test_a_label_that_is_large_enough_or_no_step_up_has_none(
        self, service: RegistryService, label: str, signature: Any
    ) -> None:
        self.make(service, version="1.4.0", signature=ONE)
        assert self.make(service, version=label, signature=signature).warnings == ()

    def test_a_late_fix_is_held_against_the_release_below_it(self, service: RegistryService) -> None:
        for label, signature in (("1.0.0", ONE), ("2.0.0", OTHER), ("alpha", MORE)):
            self.make(service, version=label, signature=signature)
        assert self.make(service, version="1.0.1", signature=ONE).warnings == ()
        late = self.make(service, version="1.0.2", signature=OTHER)
        assert late.warnings[0].startswith("from 1.0.1 to 1.0.2 is a patch step")
        assert self.make(service, version="0.9.0", signature=OTHER).warnings == ()

    # --- gates ---

    def stand(self, service: RegistryService, new: Any, old: Any = ONE) -> ModelVersion:
        """``old`` in production, ``new`` beside it."""
        self.live(service, signature=old)
        return self.make(service, signature=new)

    def test_the_gate_lets_through_what_todays_callers_can_use(self, service: RegistryService) -> None:
        made = self.stand(service, MORE)
        rule = {"signature_compatible": True, "schema_documented": True}
        assert self.move(service, made.model_id, made.stage.PRODUCTION, requirements=rule).number == 2

    def test_the_gate_refuses_what_breaks_them_and_names_the_field(self, service: RegistryService) -> None:
        made = self.stand(service, OTHER)
        with self.refused(service, GateRefused, "input 'age': removed"):
            self.move(
                service,
                made.model_id,
                made.stage.PRODUCTION,
                requirements={"signature_compatible": True},
            )
