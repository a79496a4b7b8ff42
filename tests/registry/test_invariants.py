"""What holds whatever happens, one test or more for each promise."""

import hashlib
import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from modelyard import BlobDamaged, GateRefused, ModelRegistry, ModelyardError, Protected, StorageError
from modelyard.adapters.metadata.sqlite import driver
from modelyard.domain.permissions import OWNER
from modelyard.domain.sessions import Person
from modelyard.service.sessions import ServiceSessions

from .rounds import blobs, refused

DYING = """
import io, os, signal, sys
from modelyard import ModelRegistry
registry = ModelRegistry(sys.argv[1])
model_id = registry.register_model(io.BytesIO(b"weights"), "fraud", idempotency_key=sys.argv[2] or None)
print(model_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def die_after_registering(folder: Path, key: str = "") -> str:
    """Register in a process that is killed at once; returns the ``model_id`` it was told."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(folder), key], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stdout.strip()


def sql(folder: Path, statement: str, *values: object) -> list:
    """Run a statement on the database itself, around the registry."""
    connection = driver().connect(str(folder / "registry.db"), isolation_level=None)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def test_I1_a_visible_version_has_all_its_bytes_and_they_match(registry, tmp_path):
    (tmp_path / "net").mkdir()
    for name in ("a.bin", "b.bin"):
        (tmp_path / "net" / name).write_bytes(name.encode() * 1000)
    version = registry.get_model(registry.register_model(tmp_path / "net", "fraud"))
    for entry in version.files:
        stored = registry._service.location(entry.digest).read_bytes()
        assert "sha256:" + hashlib.sha256(stored).hexdigest() == entry.digest
        assert len(stored) == entry.size


def test_I2_what_was_acknowledged_survives_a_kill(folder):
    model_id = die_after_registering(folder)
    with ModelRegistry(folder) as registry:
        version = registry.get_model(model_id)
        assert b"".join(registry._service.open_blob(version.files[0].digest)) == b"weights"
        assert registry.fsck(deep=True).ok
        assert registry.verify_audit().ok


def test_I3_who_never_heard_the_answer_asks_again_with_the_same_key(folder):
    model_id = die_after_registering(folder, "key-1")
    with ModelRegistry(folder) as registry:
        again = registry.register_model(io.BytesIO(b"weights"), "fraud", idempotency_key="key-1")
        assert again == model_id
        assert len(registry.list_models()) == 1


def test_I4_numbers_rise_without_a_gap_and_a_deleted_one_stays_as_a_tombstone(registry):
    for expected in range(1, 6):
        model_id = registry.register_model(None, "fraud")
        assert registry.get_model(model_id).number == expected
        registry.delete_model(model_id)
        registry.gc(dry_run=False, grace_days=0)
    assert [v.number for v in registry.list_models(include_deleted=True)] == [5, 4, 3, 2, 1]


def test_I5_the_database_itself_refuses_a_second_holder_of_production(registry, folder):
    first = registry.register_model(None, "fraud", stage="production")
    second = registry.register_model(None, "fraud")
    (key,) = sql(folder, "SELECT holder_key FROM versions WHERE model_id = ?", first)[0]
    assert key
    with pytest.raises(driver().IntegrityError, match="holder_key"):
        sql(folder, "UPDATE versions SET holder_key = ? WHERE model_id = ?", key, second)


def test_I6_revisions_of_a_model_only_rise(registry):
    for _ in range(2):
        registry.register_model(None, "fraud")
    seen = []
    for number in (1, 2, 1, 2):
        registry.set_alias("fraud", "champion", f"#{number}")
        seen.append(registry._service.get_model("fraud").revision)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("place", [0, 500, -1])
def test_I7_a_download_is_verified_to_its_last_byte(registry, tmp_path, place):
    data = bytearray(os.urandom(1001))
    version = registry.get_model(registry.register_model(io.BytesIO(bytes(data)), "fraud"))
    path = Path(version.artifact_path)
    data[place] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    with refused(registry, BlobDamaged):
        registry.download("fraud", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert not [p for p in tmp_path.iterdir() if "copy" in p.name]


MUTATORS = {
    "register_model": lambda r: r.register_model(None, "fraud"),
    "register_models": lambda r: r.register_models([{"model": None, "name": "fraud"}]),
    "promote_model": lambda r: r.promote_model("fraud#1", "production"),
    "update_model_stage": lambda r: r.update_model_stage("fraud#1", "staging"),
    "archive_model": lambda r: r.archive_model("fraud#1"),
    "rollback_model": lambda r: r.rollback_model("other"),
    "set_alias": lambda r: r.set_alias("fraud", "shadow", "#1"),
    "delete_alias": lambda r: r.delete_alias("fraud", "champion"),
    "copy_version": lambda r: r.copy_version("fraud#1", "9.0.0"),
    "create_token": lambda r: r.create_token("ci"),
    "revoke_token": lambda r: r.revoke_token("old"),
    "end_sessions": lambda r: r.end_sessions("bob"),
    "protect_alias": lambda r: r.protect_alias("fraud", "champion"),
    "set_policy": lambda r: r.set_policy("fraud", {"lifecycle": "strict"}),
    "update_model_metrics": lambda r: r.update_model_metrics("fraud#1", {"accuracy": 0.9}),
    "record_check": lambda r: r.record_check("fraud#1", "tests_passed"),
    "tag": lambda r: r.tag("fraud#1", team="risk"),
    "describe": lambda r: r.describe("fraud#1", "text"),
    "update_card": lambda r: r.update_card("fraud#1", {"owner": "ann"}),
    "annotate": lambda r: r.annotate("fraud#1", legal_hold="case"),
    "describe_model": lambda r: r.describe_model("fraud", "text"),
    "link": lambda r: r.link("fraud#1", "dataset", "s3://data"),
    "unlink": lambda r: r.unlink("old#1", "run", "r1"),
    "withdraw": lambda r: r.withdraw("fraud#1", "it leaks"),
    "reinstate": lambda r: r.reinstate("old#1"),
    "delete_model": lambda r: r.delete_model("fraud#1"),
    "undelete_model": lambda r: r.undelete_model("fraud#3"),
    "cleanup": lambda r: r.cleanup(0, name="old"),
    "gc": lambda r: r.gc(dry_run=False, grace_days=0),
    "import_registry": lambda r: r.import_registry("bundle.json"),
}
READERS = {
    *(
        "close",
        "get_model",
        "load_model",
        "download",
        "list_models",
        "search_models",
        "list_names",
        "iterate_models",
    ),
    *(
        "get_latest_version",
        "get_best_model",
        "get_model_lineage",
        "lineage_graph",
        "affected",
        "compare_models",
        "compare_versions",
        "diff",
        "environment",
        "list_tokens",
        "list_sessions",
        "get_policy",
        "status",
        "history",
    ),
    *("as_of", "get_registry_stats", "fsck", "verify_audit", "export_registry"),
}


def test_every_method_is_known_to_change_something_or_nothing():
    public = {
        name for name, value in vars(ModelRegistry).items() if callable(value) and not name.startswith("_")
    }
    assert public == MUTATORS.keys() | READERS | {"validate_model"}, (
        "which asks plug-ins, then records a check"
    )


@pytest.fixture
def furnished(registry, tmp_path):
    """Something for each of the mutators to change."""
    registry.register_model(None, "fraud")
    registry.register_model(None, "fraud", alias="champion")
    registry.delete_model(registry.register_model(None, "fraud"))
    for _ in range(2):
        registry.promote_model(registry.register_model(None, "other"), "production")
    registry.archive_model(registry.register_model(None, "old"))
    registry.link("old#1", "run", "r1")
    registry.create_token("old")
    registry.withdraw("old#1", "it leaks")
    bob = Person(key="b" * 32, name="bob", grants=OWNER)
    life = {"life": timedelta(hours=1), "idle": timedelta(hours=1)}
    ServiceSessions(registry._service).open(bob, **life, once="1")
    with ModelRegistry("memory://") as elsewhere:
        elsewhere.register_model(None, "imported")
        elsewhere.export_registry(tmp_path / "bundle.json")
    return registry


def count_events(registry) -> int:
    return registry.verify_audit().events


@pytest.mark.parametrize("name", MUTATORS)
def test_I8_every_change_is_one_event(furnished, name):
    before = count_events(furnished)
    MUTATORS[name](furnished)
    # Two events come with two things: the version let go and the collection, the model taken and its import.
    assert count_events(furnished) - before == (2 if name in ("gc", "import_registry") else 1)
    assert furnished.verify_audit().ok
    assert furnished.fsck(deep=True).findings == ()


@pytest.mark.parametrize("name", MUTATORS)
def test_I8_a_change_that_cannot_be_written_down_does_not_happen(furnished, folder, name):
    sql(folder, "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no more'); END")
    before = furnished._service.export(), blobs(folder)
    if name == "cleanup":
        assert furnished.cleanup(0, name="old").kept
    else:
        with pytest.raises(ModelyardError):
            MUTATORS[name](furnished)
    assert (furnished._service.export(), blobs(folder)) == before
    sql(folder, "DROP TRIGGER full")
    MUTATORS[name](furnished)


def test_I9_bytes_under_a_digest_never_change(registry):
    version = registry.get_model(registry.register_model(io.BytesIO(b"first"), "fraud"))
    digest = version.files[0].digest
    with refused(registry, BlobDamaged):
        registry._service.put_blob([b"other"], digest=digest)
    registry.register_model(io.BytesIO(b"first"), "other")
    assert Path(version.artifact_path).read_bytes() == b"first"


def test_I10_the_facts_that_a_gate_saw_stay_with_its_verdict(registry):
    registry.register_model(None, "fraud", performance_metrics={"accuracy": 0.9})
    registry.promote_model("fraud", "staging", {"min_accuracy": 0.8})
    registry.update_model_metrics("fraud", {"accuracy": 0.1})
    promoted = next(e for e in registry.history("fraud") if e.action == "version.promoted")
    rule = promoted.after["verdict"]["rules"][-1]
    assert (rule["rule"], rule["observed"], rule["passed"]) == ("min_accuracy", 0.9, True)
    assert [m.value for m in registry.get_model("fraud").metrics] == [0.9, 0.1]


def test_I12_deleted_is_restorable_until_it_is_collected(registry):
    model_id = registry.register_model(io.BytesIO(b"weights"), "fraud")
    registry.delete_model(model_id)
    assert registry.gc(dry_run=False).versions == ()
    registry.undelete_model(model_id)
    registry.delete_model(model_id)
    assert registry.gc(dry_run=False, grace_days=0).versions == (model_id,)
    with refused(registry, LookupError, "gone"):
        registry.undelete_model(model_id)


def test_I13_what_a_crash_left_is_only_garbage_and_gc_brings_it_to_nothing(registry, folder):
    registry._service.put_blob([b"uploaded, and then the process died"])
    torn = folder / "tmp"
    torn.mkdir(exist_ok=True)
    assert registry.fsck(deep=True).ok
    assert registry.gc(dry_run=False, grace_days=0).freed == 35
    assert blobs(folder) == {}
    assert registry.fsck(deep=True).findings == ()


def test_I14_a_retry_gives_the_same_answer_and_one_effect(registry, estimator):
    tries = {registry.register_model(estimator[0], "fraud", idempotency_key="k") for _ in range(3)}
    assert len(tries) == 1
    assert len(registry.history("fraud")) == 1


def test_I17_order_comes_from_sequence_numbers(registry):
    for _ in range(5):
        registry.register_model(None, "fraud")
    events = registry.history("fraud", newest_first=False)
    assert [e.sequence for e in events] == [1, 2, 3, 4, 5]
    assert all(a.at < b.at for a, b in pairwise(events))
    assert events[-1].at <= datetime.now(UTC)


def test_I20_a_policy_that_changes_before_the_commit_is_obeyed(registry, folder, monkeypatch):
    registry.register_model(None, "fraud", performance_metrics={"accuracy": 0.5})
    store, commit = registry._service.store, registry._service.store.commit

    def later(changes):
        monkeypatch.setattr(store, "commit", commit)
        with ModelRegistry(folder) as boss:
            boss.set_policy("fraud", {"gates": {"staging": {"min_accuracy": 0.9}}})
        commit(changes)

    monkeypatch.setattr(store, "commit", later)
    with pytest.raises(GateRefused):
        registry.promote_model("fraud", "staging")
    assert registry.get_model("fraud").stage == "development"


def test_I20_a_version_deleted_before_the_commit_is_not_promoted(registry, folder, monkeypatch):
    registry.register_model(None, "fraud")
    store, commit = registry._service.store, registry._service.store.commit

    def later(changes):
        monkeypatch.setattr(store, "commit", commit)
        with ModelRegistry(folder) as someone:
            someone.delete_model("fraud")
        commit(changes)

    monkeypatch.setattr(store, "commit", later)
    with pytest.raises(LookupError, match="deleted"):
        registry.promote_model("fraud#1", "production")
    assert registry.status("fraud").live is None


def test_I20_an_alias_set_before_the_commit_protects(registry, folder, monkeypatch):
    registry.register_model(None, "fraud")
    store, commit = registry._service.store, registry._service.store.commit

    def later(changes):
        monkeypatch.setattr(store, "commit", commit)
        with ModelRegistry(folder) as someone:
            someone.set_alias("fraud", "champion", "#1")
        commit(changes)

    monkeypatch.setattr(store, "commit", later)
    with pytest.raises(Protected, match="champion"):
        registry.delete_model("fraud#1")


def test_a_database_that_is_gone_is_a_storage_error(folder):
    registry = ModelRegistry(folder)
    registry.close()
    (folder / "registry.db").unlink()
    (folder / "registry.db").mkdir()
    with pytest.raises(StorageError):
        ModelRegistry(folder)
