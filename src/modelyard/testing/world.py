"""Two registries driven step for step alike: whatever one answers, the other has to answer, and both keep the laws.

Subclass, give ``left`` and ``right``, and run the machine's ``TestCase``. Each registry has a clock of its own that is
moved alike, so identifiers and times are equal too and whole exports can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from modelyard.domain import events, lineage, lineage_graph
from modelyard.domain.errors import ModelyardError
from modelyard.domain.records import FileEntry, ModelStage
from modelyard.ports import service as ask
from modelyard.ports.service import RegistryService
from modelyard.testing.clock import SettableClock

NAMES = st.sampled_from(["fraud", "churn"])
NUMBERS = st.integers(1, 5)
ALIASES = st.sampled_from(["champion", "shadow"])
BYTES = st.sampled_from([b"", b"one", b"two", b"three"])
STAGES = st.sampled_from(list(ModelStage))
FREE = st.booleans()


class RegistryWorld(RuleBasedStateMachine):
    """Rules are calls, refused ones included; invariants are what must hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.clocks = (SettableClock(), SettableClock())
        self.services = (self.left(self.clocks[0]), self.right(self.clocks[1]))
        for service in self.services:
            self.stack.callback(service.close)

    def left(self, clock: SettableClock) -> RegistryService:
        """The registry under test, empty."""
        raise NotImplementedError

    def right(self, clock: SettableClock) -> RegistryService:
        """The oracle, empty."""
        raise NotImplementedError

    def teardown(self) -> None:
        self.stack.close()

    def both(self, call: Callable[[RegistryService], Any]) -> None:
        """The same call on both: equal answers, or refusals of the same class in the same words."""
        answers = []
        for service in self.services:
            try:
                answers.append(call(service))
            except ModelyardError as error:
                answers.append((type(error), error.detail, error.reasons, error.data))
        assert answers[0] == answers[1]

    # --- rules -------------------------------------------------------------------------------------------------------

    @rule(name=NAMES, data=BYTES, alias=st.none() | ALIASES, stage=STAGES, metric=st.floats(0, 1))
    def register(self, name: str, data: bytes, alias: str | None, stage: ModelStage, metric: float) -> None:
        def call(service: RegistryService) -> Any:
            info = service.put_blob([data])
            files = (FileEntry(path="model.txt", size=info.size, digest=info.digest),)
            facts: dict[str, Any] = {"metrics": {"accuracy": metric}, "alias": alias, "stage": stage}
            return service.create_version(ask.CreateVersion(name=name, files=files, **facts))

        self.both(call)

    @rule(name=NAMES, number=NUMBERS, stage=STAGES, keep=FREE, least=st.floats(0, 1))
    def promote(self, name: str, number: int, stage: ModelStage, keep: bool, least: float) -> None:
        request = ask.Promote(
            ref=f"{name}#{number}", target=stage, keep_existing=keep, requirements={"min_accuracy": least}
        )
        self.both(lambda service: service.promote(request))

    @rule(name=NAMES, most=st.integers(0, 2), least=st.floats(0, 1), gated=FREE)
    def set_policy(self, name: str, most: int, least: float, gated: bool) -> None:
        policy: dict[str, Any] = {"holders": {"production": most}}
        if gated:
            policy["gates"] = {"production": {"min_accuracy": least}}
        self.both(lambda service: service.set_policy(ask.SetPolicy(model=name, policy=policy)))

    @rule(name=NAMES, number=NUMBERS, alias=ALIASES, force=FREE)
    def set_alias(self, name: str, number: int, alias: str, force: bool) -> None:
        request = ask.SetAlias(model=name, alias=alias, ref=f"#{number}", force=force, reason="chance")
        self.both(lambda service: service.set_alias(request))

    @rule(name=NAMES, alias=ALIASES, protected=FREE)
    def protect_alias(self, name: str, alias: str, protected: bool) -> None:
        request = ask.ProtectAlias(model=name, alias=alias, protected=protected)
        self.both(lambda service: service.protect_alias(request))

    @rule(name=NAMES, alias=ALIASES)
    def delete_alias(self, name: str, alias: str) -> None:
        self.both(lambda service: service.delete_alias(ask.DeleteAlias(model=name, alias=alias)))

    @rule(name=NAMES, drill=FREE)
    def roll_back(self, name: str, drill: bool) -> None:
        self.both(lambda service: service.roll_back(ask.RollBack(ref=name, drill=drill)))

    @rule(name=NAMES, number=NUMBERS, force=FREE)
    def delete(self, name: str, number: int, force: bool) -> None:
        request = ask.Delete(ref=f"{name}#{number}", force=force, reason="chance")
        self.both(lambda service: service.delete(request))

    @rule(name=NAMES, number=NUMBERS)
    def undelete(self, name: str, number: int) -> None:
        self.both(lambda service: service.undelete(f"{name}#{number}"))

    @rule(name=NAMES, number=NUMBERS, to=NAMES, there=NUMBERS, remove=FREE)
    def link(self, name: str, number: int, to: str, there: int, remove: bool) -> None:
        request = (ask.Unlink if remove else ask.Link)(
            ref=f"{name}#{number}", kind="merged_from", target=f"{to}#{there}"
        )
        self.both(
            lambda service: (
                service.unlink(request) if isinstance(request, ask.Unlink) else service.link(request)
            )
        )

    @rule(name=NAMES, number=NUMBERS, back=FREE)
    def withdraw(self, name: str, number: int, back: bool) -> None:
        request = (ask.Reinstate if back else ask.Withdraw)(target=f"{name}#{number}", reason="chance")
        self.both(
            lambda service: (
                service.reinstate(request)
                if isinstance(request, ask.Reinstate)
                else service.withdraw(request)
            )
        )

    @rule(name=NAMES, one=NUMBERS, other=NUMBERS)
    def begin_experiment(self, name: str, one: int, other: int) -> None:
        request = ask.BeginExperiment(model=name, variants={"A": str(one), "B": str(other)})
        self.both(lambda service: service.begin_experiment(request))

    @rule(name=NAMES)
    def stop_experiments(self, name: str) -> None:
        def call(service: RegistryService) -> Any:
            running = [e.experiment_id for e in service.list_experiments(name) if e.running]
            return [service.stop_experiment(ask.StopExperiment(experiment_id=found)) for found in running]

        self.both(call)

    @rule(days=st.sampled_from([0, 3, 40]))
    def time_passes(self, days: int) -> None:
        for clock in self.clocks:
            clock.advance(days=days, seconds=1)

    @rule()
    def retire(self) -> None:
        self.both(lambda service: service.retire(ask.Retire()))

    @rule()
    def collect(self) -> None:
        """The preview and the run agree, and so do both registries."""

        def call(service: RegistryService) -> Any:
            preview = service.collect(ask.Collect())
            done = service.collect(ask.Collect(dry_run=False))
            assert (sorted(preview.blobs), preview.freed) == (sorted(done.blobs), done.freed)
            return sorted(done.versions), sorted(done.blobs), done.freed

        self.both(call)

    # --- laws --------------------------------------------------------------------------------------------------------

    @invariant()
    def both_hold_the_same(self) -> None:
        self.both(lambda service: service.export())
        self.both(lambda service: service.stats())
        self.both(lambda service: service.search(ask.Search(text="order by version desc", deleted=None)))

    @invariant()
    def I5_a_stage_has_no_more_holders_than_allowed_and_they_say_so_themselves(self) -> None:
        for service in self.services:
            bundle = service.export()
            for model in bundle.models:
                standing = {
                    v.number
                    for v in bundle.versions
                    if v.name == model.name and v.stage is ModelStage.PRODUCTION and not v.deleted
                }
                assert standing == set(model.holders.get("production", ()))
                assert len(standing) <= (model.policy.holder_limit(ModelStage.PRODUCTION) or len(standing))

    @invariant()
    def nothing_comes_from_itself(self) -> None:
        for service in self.services:
            found = service.export().versions
            came_from = {v.model_id: [e.target for e in v.edges if lineage.is_version(e.kind)] for v in found}
            assert lineage_graph.first_cycle(came_from) == ()

    @invariant()
    def I11_every_visible_version_has_its_bytes(self) -> None:
        for service in self.services:
            for version in service.export().versions:
                if version.collected_at is None:
                    assert all(service.has_blob(entry.digest) for entry in version.files)

    @invariant()
    def a_model_and_its_experiments_agree_on_which_run(self) -> None:
        for service in self.services:
            bundle = service.export()
            running = {e.experiment_id: e.numbers for e in bundle.experiments if e.running}
            assert running == {name: n for model in bundle.models for name, n in model.experiments.items()}
            living = {(v.name, v.number) for v in bundle.versions if not v.deleted}
            needed = {(e.model, number) for e in bundle.experiments if e.running for number in e.numbers}
            assert needed <= living

    @invariant()
    def no_pointer_dangles_and_every_chain_holds(self) -> None:
        for service in self.services:
            bundle = service.export()
            for model in bundle.models:
                for alias in model.aliases.values():
                    found = service.get_version(f"{model.name}@{alias.name}")
                    assert (found.number, alias.name in found.aliases) == (alias.number, True)
                log = [event for event in bundle.events if event.model == model.name]
                assert events.first_break(log) is None
                assert (log[-1].sequence, log[-1].hash) == (model.sequence, model.head)
