"""The registry, as people use it: short methods over one service, wherever that service runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from modelyard.client import arguments, listing, load, notices
from modelyard.client.listing import Versions
from modelyard.domain.answers import (
    Affected,
    AuditProof,
    Collected,
    Fsck,
    Imported,
    ModelStatus,
    Promotion,
    Retired,
    Rollback,
)
from modelyard.domain.errors import StorageError
from modelyard.domain.lifecycle import parse_stage
from modelyard.domain.records import Event, Model, ModelStage, ModelVersion
from modelyard.domain.sessions import Session
from modelyard.domain.tokens import NewToken, Token
from modelyard.ports import service as ask
from modelyard.ports.service import UNSET, Progress, RegistryService
from modelyard.settings import Settings, load_settings
from modelyard.wiring import inspect_database, open_service, settle

if TYPE_CHECKING:
    from modelyard.domain.compare import Comparison
    from modelyard.domain.diff import Difference
    from modelyard.domain.environment_report import EnvironmentReport
    from modelyard.domain.lineage_graph import LineageGraph

Source = Any
"""A live model, a path of a file or directory, or a readable binary file."""


@arguments.checked_methods
class ModelRegistry:
    """A team's trained models: versions, where they came from, how good they are, which one is live, who allowed it.

    ``ModelRegistry("./model_registry")`` needs no server: the folder is the registry, and any number of processes may
    use it at once. Every method that takes a version takes a *ref*: ``fraud`` (latest), ``fraud:1.4.0``, ``fraud#7``,
    ``fraud@champion``, ``fraud@production``, ``fraud@champion~1`` (one move earlier), ``fraud:^1``, or a ``model_id``.
    A call that fails has changed nothing.

    Args:
        location: Folder of an embedded registry, the address of a server, or that of a database, such as
            ``postgresql://user:password@host/name``. Without it: the environment variable ``MODELYARD_URL``, the
            configuration file's ``registry.path``, or ``./model_registry``.
        token: Credential for a server; not used by an embedded registry.
        config: A configuration file, or ready ``Settings``. Without it: ``MODELYARD_CONFIG``,
            ``./configs/registry_config.yaml``, ``./modelyard.yaml``, then the user's configuration folder.
        storage: Where the bytes beside a database are, if the configuration's section ``storage`` does not say it: a
            folder, ``s3://bucket/prefix``, ``gs://``, ``az://`` or ``https://host/bucket/prefix``.

    Raises:
        InvalidConfig: The configuration has an unknown or ill-typed key.
        StorageError: The folder cannot be read or made.
    """

    def __init__(
        self,
        location: str | Path | None = None,
        *,
        token: str | None = None,
        config: str | Path | Settings | None = None,
        storage: str | None = None,
    ) -> None:
        settings = config if isinstance(config, Settings) else load_settings(config)
        self.settings, where = settle(settings, location, storage)
        self.location, self._service = open_service(self.settings, where, token=token)
        self.progress: Callable[[str, int], Progress] | None = None

    def __enter__(self) -> ModelRegistry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ModelRegistry({self.location!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, a registry is its location and settings; connections and tokens stay behind."""
        return _reopen, (self.location, self.settings)

    @property
    def service(self) -> RegistryService:
        """What answers behind this class: the seam for tools that ask what it has no method for."""
        return self._service

    def close(self) -> None:
        """Finish background duties and release the database. The object may not be used afterwards."""
        self._service.close()

    # --- registering ------------------------------------------------------------------------------------------------

    def register_model(
        self,
        model: Source,
        name: str,
        version: str | None = None,
        *,
        stage: ModelStage | str | None = None,
        description: str = "",
        performance_metrics: Mapping[str, Any] | None = None,
        hyperparams: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        data_lineage: Mapping[str, Any] | None = None,
        lineage: Sequence[Any] | None = None,
        parent: str | None = None,
        signature: Any = None,
        input_example: Any = None,
        output_example: Any = None,
        card: Mapping[str, Any] | None = None,
        bump: str | None = None,
        alias: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        artifacts: Mapping[str, str | Path] | None = None,
        serialization_format: str | None = None,
        compress: Any = None,
        override_reason: str | None = None,
        idempotency_key: str | None = None,
        follow_symlinks: bool = False,
    ) -> str:
        """Store a model as a new version and return its ``model_id``.

        Args:
            model: A live object (written by the flavor that fits it), a path of a file or directory, a readable
                binary file, or ``None`` for a version that has facts but no files.
            name: Model name; made if new.
            version: Label such as ``"1.4.0"`` or ``"alpha-1"``. Without it the next one: ``0.1.0`` first.
            stage: Where to start (default: ``registry.default_stage``). Anything but ``development`` goes through
                the same gates as a promotion.
            performance_metrics: ``{"accuracy": 0.92}``, or with what is known about the measurement:
                ``{"accuracy": {"value": 0.92, "n": 114, "dataset": "holdout", "split": "test"}}``.
            hyperparams: Adds to what ``get_params()`` tells.
            tags: Short texts to find it by. ``attributes``: any JSON.
            data_lineage: What it was trained on. ``parent``: ref of the version it was made from.
            lineage: Links: ``[("dataset", "s3://data/train.parquet"), ("fine_tuned_from", "fraud:1.0.0")]``, each
                with a mapping of details as its third if there are any; see :meth:`link` for the kinds.
            signature: What it takes and gives: a ``Signature``, its JSON, or MLflow's signature.
            input_example: Without a signature: an example of what it takes, whose names, types and shapes make one. A
                table, an array, a dict of columns, a list of records. ``output_example``: of what it gives. What
                neither shows is read from the model, where it knows.
            bump: ``major``, ``minor`` or ``patch`` instead of a label; default: what the signature's change calls for.
            alias: Point this alias at the new version in the same step.
            artifacts: ``{"confusion_matrix.png": path}``: files that travel along.
            serialization_format: A flavor's name, such as ``joblib``, ``skops`` or ``onnx``; by default what the
                object's framework writes itself, or what a file's content says.
            compress: Flavor specific: joblib 0 to 9, pickle ``True`` for gzip.
            override_reason: Why a rule about the version step may be broken; recorded.
            idempotency_key: Makes a repeated call safe even when the model serialises to other bytes.
            follow_symlinks: Let links inside a directory be followed when they stay inside it.

        Raises:
            InvalidName, InvalidPath: A name, label or path breaks the rules.
            AlreadyExists: The label is taken by other content. Equal content returns the existing ``model_id`` and
                changes nothing; a stage or alias that was not given to it the first time is refused.
            GateRefused: ``stage`` was asked for and a gate failed.
            Protected: ``alias`` was asked for, and is protected, or the version is made of something withdrawn.
            BumpRefused: The step is smaller than the change of the signature calls for; names the fields.
        """
        # These know every flavor and every format, of which those who only read need none.
        from modelyard.client import pack, requests

        with pack.open_package(
            model,
            arguments.paths(artifacts or {}, "artifacts"),
            self.settings,
            registry=self.location,
            serialization_format=serialization_format,
            compress=compress,
            follow_symlinks=follow_symlinks,
        ) as package:
            request = requests.build(
                package,
                self.settings,
                name,
                version,
                stage=stage,
                description=description,
                performance_metrics=performance_metrics,
                hyperparams=hyperparams,
                tags=tags,
                data_lineage=data_lineage,
                lineage=lineage,
                parent=parent,
                signature=signature,
                input_example=input_example,
                output_example=output_example,
                card=card,
                bump=bump,
                alias=alias,
                attributes=attributes,
                override_reason=override_reason,
                idempotency_key=idempotency_key,
            )
            return notices.told(pack.upload_and_create(self._service, package, request, self.progress))

    def register_models(self, entries: Sequence[Mapping[str, Any]], *, batch: int = 500) -> list[str]:
        """Store many versions, each batch of them in one commit, and return their ``model_id`` in the same order.

        Ten times as fast as one by one, and what it makes is the same. A batch is registered whole or not at all; the
        batches before one that is refused stay.

        Args:
            entries: The arguments of :meth:`register_model` by name, ``model`` and ``name`` among them. Instead of
                ``model`` one may give ``files``, bytes that the registry has already:
                ``[{"path": "model.onnx", "digest": "sha256:...", "size": 1024}]`` (without ``size`` it is looked up),
                with ``flavor`` (such as ``{"name": "onnx", "entry": "model.onnx"}``; otherwise they are plain files)
                and ``environment``.
            batch: How many versions one commit has, 1 to 1,000.

        Raises:
            InvalidInput: An entry has an unknown key, or neither ``model`` nor ``files``.
            ModelyardError: What :meth:`register_model` raises; ``data["entry"]`` is the entry's place, from 1.
        """
        from modelyard.client import bulk

        return bulk.register(
            self._service, self.settings, self.location, entries, size=batch, progress=self.progress
        )

    def copy_version(
        self,
        model_id: str,
        version: str | None = None,
        *,
        name: str | None = None,
        stage: ModelStage | str | None = None,
        alias: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        """Register the files of a version once more, under another label or model, and return the new ``model_id``.

        No byte is stored twice. Parameters, signature, environment, latest metrics, tags, attributes and model card
        come along; checks and aliases stay. The copy is linked to where it came from, as ``promoted_from``.

        Args:
            version: Label of the copy; without it the next one. ``name``: its model; without it the same.
            stage: Where to start, through the same gates as a promotion.
            attributes: Beside those of the original.

        Raises:
            AlreadyExists: The label is taken by something else.
            GateRefused: ``stage`` was asked for and a gate failed.
        """
        from modelyard.client import copies

        source = self._service.get_version(model_id)
        request = copies.request(
            source,
            name=source.name if name is None else name,
            version=version,
            stage=parse_stage(stage or self.settings.registry.default_stage),
            alias=alias,
            attributes={**source.attributes, **arguments.scalars(attributes or {})},
        )
        return notices.told(self._service.create_version(request))

    # --- reading ----------------------------------------------------------------------------------------------------

    def get_model(self, model_id: str) -> ModelVersion:
        """The version a ref names, with ``artifact_path`` filled in.

        Raises:
            VersionNotFound, ModelNotFound, AliasNotFound: Nothing there, or deleted.
        """
        return self._here(self._service.get_version(model_id))

    def load_model(
        self, model_id: str, *, trust: Sequence[str] = (), form: str = "", return_metadata: bool = False
    ) -> Any:
        """The model itself, ready to use. Bytes are verified against the manifest before anything is deserialised.

        Args:
            model_id: Any ref.
            trust: What the pickle may look up beyond the built-in allowlist: packages of yours such as
                ``["my_pkg.*"]``, or exact names. With the configuration's ``security.trust`` these are the only
                ones who may say so; what the model's policy declares is shown when it is refused, and opens nothing.
            form: Something else than what was saved, where the framework has it: ``booster`` of an xgboost or lightgbm
                estimator, ``session`` (onnxruntime's) of an ONNX graph.
            return_metadata: Return ``(model, version)``.

        Returns:
            The live object; for a version registered as raw files, the path of a verified private copy.

        Raises:
            InvalidInput: ``trust`` is no list, or holds a lone ``*``; or the flavor has no such ``form``.
            BlobDamaged: The stored bytes are not what was registered.
            LoadRefused: The pickle needs names nobody trusts; ``data["globals"]`` lists them. Or the model's policy
                refuses to load it in an environment that differs as ``EnvironmentMismatch`` warns of: a package is
                missing, or interpreter or package have another major version than the version was made with.
        """
        version = self._service.get_version(model_id)
        allowed = arguments.patterns(trust)
        model = load.load(
            self._service, version, self.settings, trust=allowed, form=form, progress=self.progress
        )
        return (model, self._here(version)) if return_metadata else model

    def download(self, model_id: str, target: str | Path) -> Path:
        """Copy all files of a version, verified, into ``target`` (new or empty directory) and return it."""
        version = self._service.get_version(model_id)
        return load.download(self._service, version, Path(target), progress=self.progress)

    def environment(self, model_id: str) -> EnvironmentReport:
        """What a version was made with, and what is different here; also as a file for pip or conda."""
        from modelyard.client import environments

        return environments.report(self._service, self._service.get_version(model_id))

    def list_models(
        self,
        *,
        name: str | None = None,
        stage: ModelStage | str | None = None,
        tags: Mapping[str, str] | None = None,
        framework: str | None = None,
        algorithm: str | None = None,
        alias: str | None = None,
        where: str = "",
        limit: int | None = None,
        include_deleted: bool = False,
    ) -> Versions:
        """Versions that match every filter, newest first. Without ``limit`` all of them; with one, ``.more`` tells
        whether there are further ones.

        Args:
            where: A filter in the query language, for example ``metrics.accuracy > 0.9 and tags.team = 'risk'``.
        """
        text = listing.conjunction(
            where,
            name=name,
            stage=parse_stage(stage).value if stage else None,
            framework=framework,
            algorithm=algorithm,
            alias=alias,
            tags=tags,
        )
        request = ask.Search(text=text, deleted=None if include_deleted else False)
        return listing.fetch(self._service, request, limit, self._here)

    def search_models(self, query: str, *, limit: int | None = None) -> Versions:
        """Versions by the query language: bare words search name, description and tags.

        Raises:
            InvalidQuery: With the position of the mistake.
        """
        return listing.fetch(self._service, ask.Search(text=query), limit, self._here)

    def list_names(self, contains: str = "") -> list[str]:
        """Names of all models, sorted."""
        return [model.name for model in self.iterate_models(contains)]

    def iterate_models(self, contains: str = "") -> Iterator[Model]:
        """Every model record by name, page by page."""
        after: str | None = None
        while True:
            page = self._service.list_models(contains, limit=500, after=after)
            yield from page.items
            if (after := page.next) is None:
                return

    def get_latest_version(self, name: str, stage: ModelStage | str | None = None) -> str:
        """``model_id`` of the newest version (highest release by SemVer), or of the newest that stands in ``stage``."""
        if stage is None:
            return self._service.get_version(name).model_id
        return self._service.get_version(
            f"{self._service.get_model(name).name}@{parse_stage(stage)}"
        ).model_id

    def get_best_model(
        self,
        name: str,
        metric: str,
        *,
        higher_is_better: bool | None = None,
        stage: ModelStage | str | None = None,
    ) -> str | None:
        """``model_id`` of the version with the best value of ``metric``; ``None`` if none has it.

        Direction comes from the metric's own record, then from a table of known metrics, unless stated.
        """
        self._service.get_model(name)
        found = self.list_models(name=name, stage=stage, where=listing.measured_by(metric))
        return listing.best(found, metric, higher_is_better)

    def get_model_lineage(self, model_id: str) -> list[ModelVersion]:
        """From the first ancestor to the version itself, following ``parent``."""
        return [self._here(v) for v in self._service.lineage(model_id)]

    def lineage_graph(
        self, model_id: str, direction: str = "both", *, depth: int | None = None
    ) -> LineageGraph:
        """What a version came from (``up``), what came of it and uses it (``down``), or ``both``.

        Deleted versions are part of it, marked so. ``to_json()``, ``to_mermaid()`` and ``to_graphviz()`` write it out.

        Args:
            depth: The longest way to follow, in links; without it to the end.
        """
        return self._service.lineage_graph(ask.Trace(ref=model_id, direction=direction, depth=depth))

    def link(
        self,
        model_id: str,
        kind: str,
        target: str,
        *,
        details: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> ModelVersion:
        """Add a link to a version's lineage; what was given at registration stays beside it.

        Args:
            kind: ``parent``, ``fine_tuned_from``, ``quantised_from``, ``distilled_from``, ``merged_from`` or
                ``promoted_from``, whose target is a version; ``base_model``, ``dataset``, ``feature_store``, ``code``
                or ``run``, whose target is a name; ``used_by``, whose target is a deployment.
            target: A ref, or a name such as ``s3://data/train.parquet``.
            details: What else is known of it, JSON; the same link with other details replaces it.

        Raises:
            NotAllowed: Both would come from each other, however far around; or a second parent.
        """
        request = ask.Link(ref=model_id, kind=kind, target=target, details=details or {}, reason=reason or "")
        return self._changed(self._service.link(request))

    def unlink(self, model_id: str, kind: str, target: str, *, reason: str | None = None) -> ModelVersion:
        """Take back a link that :meth:`link` added.

        Raises:
            NotFound: There is no such link.
            NotAllowed: It was given at registration.
        """
        request = ask.Unlink(ref=model_id, kind=kind, target=target, reason=reason or "")
        return self._changed(self._service.unlink(request))

    def withdraw(self, target: str, reason: str, *, kind: str = "version") -> Affected:
        """Say that something is not to be used any more, and learn what that reaches.

        A withdrawn version, a copy of one, and one that links to something withdrawn is not promoted to production and
        gets no new alias, unless forced with a reason; whoever registers such a version is warned. Nothing that stands
        is moved.

        Args:
            target: A ref; for another ``kind`` the name that versions link to, letter for letter.
            kind: ``version``, ``dataset``, ``base_model``, ``feature_store``, ``code`` or ``run``.

        Raises:
            InvalidInput: There is no reason.
            NotFound: No such version, or no version links to that name.
        """
        return self._service.withdraw(ask.Withdraw(target=target, kind=kind, reason=reason))

    def reinstate(self, target: str, *, kind: str = "version", reason: str | None = None) -> Affected:
        """Take a withdrawal back."""
        return self._service.reinstate(ask.Reinstate(target=target, kind=kind, reason=reason or ""))

    def affected(self, target: str, *, kind: str = "version") -> Affected:
        """Versions, aliases and deployments that depend on something, each with the way it is reached."""
        return self._service.affected(target, kind)

    def compare_models(
        self, model_a_id: str, model_b_id: str, metrics_to_compare: Sequence[str] | None = None
    ) -> Comparison:
        """Two versions side by side, metric by metric, and which one is better.

        ``winner`` is a ``model_id``, or ``None`` where nothing supports one. ``confidence_kind`` is ``statistical``
        where a test was made, and only there: per-example results registered with both versions
        (``artifacts={"results.jsonl": path}``) are compared in pairs, shares with ``n`` and means with ``n`` and ``sd``
        as independent samples, all corrected for their number. Otherwise it is ``heuristic``. ``notes`` says what was
        left out and why.

        Args:
            metrics_to_compare: Names as in a gate, such as ``f1`` or ``accuracy[test]``; default: all.

        Raises:
            NotFound: A metric that neither has.
            InvalidInput: A name that may mean several metrics.
        """
        wanted = (
            None if metrics_to_compare is None else arguments.texts(metrics_to_compare, "metrics_to_compare")
        )
        return self._service.compare(model_a_id, model_b_id, wanted)

    def compare_versions(self, name: str, metrics: Sequence[str] | None = None) -> Any:
        """All versions of a model as a pandas ``DataFrame``, highest label first: ``version``, ``number``, ``stage``,
        a column per metric (or the ``metrics`` chosen), ``created_at`` and further facts.

        A metric measured on several data sets has a column for each, ``accuracy[test]``; they are never mixed.

        Raises:
            MissingDependency: pandas is not installed.
        """
        from modelyard.client import tables

        model = self._service.get_model(name).name
        found = self.list_models(name=model, where="order by label desc")
        return tables.of_versions(found, metrics and arguments.texts(metrics, "metrics"))

    def diff(self, model_a_id: str, model_b_id: str) -> Difference:
        """Where two versions differ: params, signature, environment, files, model card; what is equal is left out."""
        from modelyard.domain.diff import diff

        return diff(self._service.get_version(model_a_id), self._service.get_version(model_b_id))

    # --- stages, gates, pointers ------------------------------------------------------------------------------------

    def promote_model(
        self,
        model_id: str,
        target_stage: ModelStage | str,
        requirements: Mapping[str, Any] | None = None,
        *,
        reason: str | None = None,
        expected: str | None = UNSET,
        keep_existing: bool = False,
        archive_existing: bool = False,
        force: bool = False,
        dry_run: bool = False,
    ) -> Promotion:
        """Move a version to a stage: the one way up. The model's policy and ``requirements`` must both be met.

        Args:
            requirements: For example ``{"min_accuracy": 0.85, "max_latency_ms": 40, "tests_passed": True}``.
            reason: Why; kept in the history.
            expected: Ref of the version you believe holds the stage now (``None``: nobody); ``Conflict`` if not.
            keep_existing: Present holders stay, where the policy allows several.
            archive_existing: The displaced holder goes to ``archived`` instead of ``deprecated``.
            force: With a reason: although the version was withdrawn. Opens nothing else on the way up.
            dry_run: Judge and move nothing.

        Raises:
            GateRefused: With one reason per failed rule.
            TransitionNotAllowed: The lifecycle has no such move.
            Conflict: Someone else moved first.
        """
        return self._service.promote(
            ask.Promote(
                ref=model_id,
                target=parse_stage(target_stage),
                requirements=requirements or {},
                reason=reason or "",
                expected="" if expected is None else expected,
                keep_existing=keep_existing,
                incumbent_to=ModelStage.ARCHIVED if archive_existing else None,
                force=force,
                dry_run=dry_run,
            )
        )

    def update_model_stage(
        self, model_id: str, stage: ModelStage | str, *, reason: str | None = None, force: bool = False
    ) -> ModelVersion:
        """Move a version along its lifecycle, through the same gates as ``promote_model``."""
        request = ask.Promote(ref=model_id, target=parse_stage(stage), reason=reason or "", force=force)
        return self._changed(self._service.promote(request).version)

    def archive_model(self, model_id: str, *, reason: str | None = None, force: bool = False) -> ModelVersion:
        """Retire a version. Refused while an alias points at it, unless forced with a reason."""
        return self.update_model_stage(model_id, ModelStage.ARCHIVED, reason=reason, force=force)

    def rollback_model(
        self,
        model_id: str,
        target_version: str | None = None,
        *,
        reason: str | None = None,
        drill: bool = False,
        trust: Sequence[str] = (),
        check_load: bool = True,
    ) -> Rollback:
        """Bring ``production`` (or the alias that ``model_id`` names) back to the last good holder.

        The candidate is proven before anything moves: all bytes match, and it loads in a subprocess under the load
        contract. A candidate that fails is skipped, with its reason in ``considered``.

        Args:
            model_id: Model name, version or pointer such as ``fraud@champion``.
            target_version: A label, number (``"#3"``) or ref, instead of the last good one.
            drill: Prove everything, move nothing.
            check_load: ``False`` leaves the load check out.

        Raises:
            NotAllowed: Nothing to go back to, or no candidate is sound.
        """
        return load.roll_back(
            self._service,
            ask.RollBack(ref=model_id, target=target_version, reason=reason or "", drill=drill),
            self.settings,
            trust=arguments.patterns(trust),
            check_load=check_load,
        )

    def set_alias(
        self,
        name: str,
        alias: str,
        ref: str,
        *,
        expected: str | None = UNSET,
        reason: str | None = None,
        force: bool = False,
    ) -> ModelVersion:
        """Point ``alias`` at a version; ``expected`` makes it a compare-and-set (``None``: the alias must be new)."""
        wanted = "" if expected is None else expected
        request = ask.SetAlias(
            model=name, alias=alias, ref=ref, expected=wanted, reason=reason or "", force=force
        )
        return self._changed(self._service.set_alias(request))

    def delete_alias(self, name: str, alias: str, *, reason: str | None = None, force: bool = False) -> None:
        """Remove an alias; a protected one only with ``force`` and a reason."""
        self._service.delete_alias(ask.DeleteAlias(model=name, alias=alias, reason=reason or "", force=force))

    def protect_alias(
        self, name: str, alias: str, protected: bool = True, *, reason: str | None = None
    ) -> None:
        """Make an alias move only with ``force`` and a reason, or lift that."""
        self._service.protect_alias(
            ask.ProtectAlias(model=name, alias=alias, protected=protected, reason=reason or "")
        )

    def get_policy(self, name: str) -> dict[str, Any]:
        """The model's own rules as a mapping, as ``set_policy`` takes it."""
        from modelyard.domain.policy import to_mapping

        return dict(to_mapping(self._service.get_model(name).policy))

    def set_policy(
        self, name: str, policy: Mapping[str, Any], *, reason: str | None = None, expected: int | None = None
    ) -> Model:
        """Replace the model's rules: gates per stage, lifecycle, holders, retention, classes it says it needs.

        Raises:
            InvalidPolicy: An unknown rule, stage or metric, with the nearest known one.
        """
        return self._service.set_policy(
            ask.SetPolicy(model=name, policy=policy, reason=reason or "", expected=expected)
        )

    # --- facts ------------------------------------------------------------------------------------------------------

    def update_model_metrics(
        self, model_id: str, metrics: Mapping[str, Any], *, revision: int | None = None
    ) -> ModelVersion:
        """Append measurements; earlier ones stay in the history."""
        request = ask.RecordMetrics(ref=model_id, metrics=metrics, revision=revision)
        return self._changed(self._service.record_metrics(request))

    def record_check(
        self, model_id: str, check: str, passed: bool = True, *, evidence: Mapping[str, Any] | None = None
    ) -> ModelVersion:
        """Record a yes or no, such as ``tests_passed``, for gates to look at."""
        request = ask.RecordCheck(ref=model_id, check=check, passed=passed, evidence=evidence or {})
        return self._changed(self._service.record_check(request))

    def validate_model(self, model_id: str) -> ModelVersion:
        """Run every installed validator (entry points ``modelyard.validators``) and record the check ``validation``.

        A validator is a callable ``(model, version) -> bool | (bool, evidence)``; the check passes if all do. Without
        any validator nothing is recorded and ``NotSupported`` says how to provide one.
        """
        version = self._service.get_version(model_id).model_id
        from modelyard.client import validation

        passed, evidence = validation.run(model_id, lambda: self.load_model(version, return_metadata=True))
        return self.record_check(version, "validation", passed, evidence=evidence)

    def tag(self, model_id: str, /, **tags: str | None) -> ModelVersion:
        """Set tags; ``None`` removes one."""
        return self.annotate(model_id, tags=tags)

    def describe(self, model_id: str, description: str) -> ModelVersion:
        """Replace a version's description."""
        return self.annotate(model_id, description=description)

    def update_card(self, model_id: str, fields: Mapping[str, Any]) -> ModelVersion:
        """Write fields of the model card; ``documentation_complete`` looks at them."""
        return self.annotate(model_id, card=fields)

    def annotate(
        self,
        model_id: str,
        *,
        tags: Mapping[str, str | None] | None = None,
        attributes: Mapping[str, Any] | None = None,
        description: str | None = None,
        card: Mapping[str, Any] | None = None,
        legal_hold: str | None = None,
        revision: int | None = None,
    ) -> ModelVersion:
        """Change descriptive facts of a version in one step; what is not given stays as it is.

        Args:
            tags: Set these; a tag given as ``None`` is removed. ``attributes`` likewise.
            card: Fields of the model card to write.
            legal_hold: Why the version may not be deleted; an empty text lifts the hold.
            revision: The version's ``revision`` as you know it; ``Conflict`` if it changed since.
        """
        request = ask.Annotate(
            ref=model_id,
            tags=tags or {},
            attributes=arguments.scalars(attributes or {}),
            description=description,
            card=card or {},
            legal_hold=legal_hold,
            revision=revision,
        )
        version = self._service.annotate(request)
        assert isinstance(version, ModelVersion)  # noqa: S101 - narrows the type: whole_model is not set
        return self._changed(version)

    def describe_model(
        self, name: str, description: str | None = None, tags: Mapping[str, str | None] | None = None
    ) -> Model:
        """Change description and tags of a model as a whole."""
        request = ask.Annotate(ref=name, description=description, tags=tags or {}, whole_model=True)
        model = self._service.annotate(request)
        assert isinstance(model, Model)  # noqa: S101 - narrows the type: whole_model is set
        return model

    # --- questions about time and state -----------------------------------------------------------------------------

    def status(self, name: str) -> ModelStatus:
        """What is live, since when, by whose decision, is it really that, and can it be undone."""
        return self._service.status(name)

    def history(self, ref: str = "", *, limit: int | None = None, newest_first: bool = True) -> list[Event]:
        """Events of a model (its name), of one version (any other ref) or of the registry itself (``""``)."""
        events: list[Event] = []
        after: str | None = None
        while limit is None or len(events) < limit:
            size = 500 if limit is None else min(500, limit - len(events))
            page = self._service.history(
                ask.History(ref=ref, newest_first=newest_first, limit=size, after=after)
            )
            events.extend(page.items)
            if (after := page.next) is None:
                break
        return events

    def as_of(self, name: str, at: datetime, pointer: str = "production") -> ModelVersion | None:
        """The version that ``pointer`` (a stage or an alias) named at that instant; naive times are local."""
        version = self._service.as_of(ask.AsOf(model=name, at=arguments.instant(at), pointer=pointer))
        return version and self._here(version)

    def get_registry_stats(self) -> dict[str, Any]:
        """Totals: ``total_models`` counts names, ``total_versions`` versions; stages, frameworks and bytes."""
        from modelyard.domain.canonical import plain

        return dict(plain(self._service.stats()))

    # --- deleting and caring ----------------------------------------------------------------------------------------

    def delete_model(self, model_id: str, force: bool = False, *, reason: str | None = None) -> ModelVersion:
        """Hide a version; ``undelete_model`` brings it back until ``gc`` has collected it.

        Raises:
            Protected: Something points at it; ``force`` with a ``reason`` overrides.
        """
        return self._changed(self._service.delete(ask.Delete(ref=model_id, force=force, reason=reason or "")))

    def undelete_model(self, model_id: str) -> ModelVersion:
        """Bring a deleted version back, unless its bytes were collected."""
        return self._changed(self._service.undelete(model_id))

    def cleanup(
        self, older_than_days: int | None = None, *, name: str | None = None, dry_run: bool = False
    ) -> Retired:
        """Delete archived versions past their retention. ``dry_run`` lists exactly what a run would delete."""
        arguments.days(older_than_days, "older_than_days")
        return self._service.retire(ask.Retire(older_than_days=older_than_days, model=name, dry_run=dry_run))

    def gc(self, *, dry_run: bool = True, grace_days: float = 7.0) -> Collected:
        """Free what deleted versions and unused uploads hold, once idle for ``grace_days``. A dry run by default."""
        arguments.days(grace_days, "grace_days")
        return self._service.collect(ask.Collect(dry_run=dry_run, grace_days=grace_days))

    def fsck(self, *, deep: bool = False, repair: bool = False) -> Fsck:
        """Look for missing and damaged data. ``deep`` reads every byte; ``repair`` quarantines, never deletes."""
        follow = None
        if self.progress is not None and deep:
            follow = self.progress("reading every file", self._service.stats().stored_bytes)
        return self._service.check(ask.Check(deep=deep, repair=repair), follow)

    def verify_audit(self) -> AuditProof:
        """Read every event chain from its start; ``breaks`` names the first bad entry of each broken one."""
        return self._service.verify_audit()

    # --- who may call a server ----------------------------------------------------------------------------------------

    def create_token(
        self,
        name: str,
        grants: Any = "reader",
        *,
        owner: str | None = None,
        service: bool = False,
        days: float | None = 90,
        reason: str | None = None,
    ) -> NewToken:
        """Make a token for a server of this registry. ``.secret`` of the answer is shown this once and kept nowhere.

        Args:
            name: What it is for, such as ``"nightly training"``.
            grants: What it may do, such as ``"writer on risk/*"`` or ``["reader", "approver on fraud, to staging"]``.
                Roles are reader, writer, approver, auditor and admin; without ``on`` a role holds for every model.
            owner: Who acts when it is used; without it, whoever makes it.
            service: The owner is a program, not a person.
            days: How long it lives; ``None``: until it is revoked, or as long as the token that made it.

        Raises:
            PermissionDenied: It would be allowed more than the token that makes it.
        """
        from modelyard.client import tokens

        asked = tokens.request(name, grants, owner=owner, service=service, days=days, reason=reason)
        return self._service.create_token(asked)

    def list_tokens(self) -> list[Token]:
        """Every token ever made, oldest first: whose, what for, until when, last used; never its secret."""
        from modelyard.client import tokens

        return list(tokens.every(self._service))

    def revoke_token(self, token: str, *, reason: str | None = None) -> Token:
        """End a token, by its id or its name; every server of this registry refuses it within a second."""
        return self._service.revoke_token(ask.RevokeToken(token=token, reason=reason or ""))

    def list_sessions(self) -> list[Session]:
        """Everybody who logged in at a server of this registry: since when, until when, last used; never a secret."""
        from modelyard.client import tokens

        return list(tokens.every_session(self._service))

    def end_sessions(self, who: str, *, reason: str | None = None) -> tuple[Session, ...]:
        """End one session by its id, or all of a person by name; every server refuses them within a second.

        Tokens that came of a login on the command line are revoked like any other.

        Raises:
            NotFound: No open session has that id or belongs to somebody called so.
        """
        return self._service.end_sessions(ask.EndSessions(who=who, reason=reason or ""))

    # --- out and in -------------------------------------------------------------------------------------------------

    def export_registry(
        self,
        output_path: str | Path,
        *,
        names: Iterable[str] | None = None,
        since: str | Path | None = None,
    ) -> Path:
        """Write the registry to a file: ``.json`` holds records and history, ``.tar`` also every byte.

        Args:
            output_path: A new file; the same registry gives the same bytes.
            names: Only these models; an empty list takes none.
            since: An earlier ``.tar``: the new one holds only what that one lacks, and is imported after it.

        Raises:
            AlreadyExists: The file is there.
            InvalidInput: Another ending, or ``since`` is no bundle.
        """
        from modelyard.client import bundle  # its imports are for two verbs only

        chosen = None if names is None else arguments.texts(names, "names")
        base = None if since is None else Path(since)
        return bundle.write(self._service, Path(output_path), chosen, since=base, bars=self.progress)

    def import_registry(self, path: str | Path) -> Imported:
        """Read what ``export_registry`` wrote: checked whole before anything is stored, and safe to repeat.

        A model that is not here is taken whole. One that is here only moves forward along the same history; where
        the histories differ, its versions are registered under new numbers and ``notes`` says so.

        Raises:
            InvalidInput: No bundle, or one that was changed, repacked or cut off.
            IntegrityError: Its bytes or records do not hold together.
            NotFound: It continues another bundle that is not here; ``reasons`` says what lacks.
        """
        from modelyard.client import bundle

        return bundle.read(self._service, Path(path), bars=self.progress)

    def _get_db_connection(self) -> AbstractContextManager[Any]:
        """A read-only look into the embedded database, for diagnosis; use it in a ``with`` statement."""
        return inspect_database(self.location)

    def _here(self, version: ModelVersion) -> ModelVersion:
        return load.locate(self._service, version)

    def _changed(self, version: ModelVersion) -> ModelVersion:
        """What a commit answered. The change is made, so a disk that does not say where the bytes are is no failure of
        the call: ``artifact_path`` stays empty.
        """
        try:
            return self._here(version)
        except StorageError:
            return version


def _reopen(location: str, settings: Settings) -> ModelRegistry:
    return ModelRegistry(location, config=settings)


__all__ = ["ModelRegistry"]
