"""Many at once: processes and threads on one registry in a folder."""

import contextlib
import io
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from modelyard import Conflict, ModelRegistry

from .crowd import Crowd, run


def sound(registry: ModelRegistry) -> bool:
    """Every check that the registry has of itself."""
    found, proof = registry.fsck(deep=True), registry.verify_audit()
    assert found.findings == ()
    assert proof.breaks == ()
    return True


def test_I6_one_of_32_processes_with_one_expectation_wins_and_the_others_hear_who_holds_it(registry, folder):
    first = registry.register_model(None, "fraud", stage="production")
    refs = [registry.register_model(None, "fraud") for _ in range(32)]
    before = len(registry.history("fraud"))
    answers = run(folder, [("promote", ref, "fraud#1") for ref in refs])
    assert answers.count("moved") == 1
    winner = registry.get_model("fraud@production")
    assert refs.index(winner.model_id) == answers.index("moved")
    losers = [answer for answer in answers if answer != "moved"]
    assert all(answer.endswith(str(winner.number)) and winner.model_id in answer for answer in losers)
    assert registry.get_model(first).successor == winner.model_id
    assert len(registry.history("fraud")) == before + 1
    assert sound(registry)


@pytest.mark.parametrize("processes", [8, 12, pytest.param(50, marks=pytest.mark.long)])
def test_F21_numbers_are_distinct_and_gapless_however_many_register(registry, folder, processes):
    answers = run(folder, [("register", "fraud", 10)] * processes)
    numbers = sorted(number for answer in answers for number in answer)
    assert numbers == list(range(1, 10 * processes + 1))
    assert all(answer == sorted(answer) for answer in answers)
    assert len({version.version for version in registry.list_models(name="fraud")}) == 10 * processes
    assert sound(registry)


@pytest.mark.parametrize("processes", [10, pytest.param(50, marks=pytest.mark.long)])
def test_F22_shared_bytes_are_stored_once_whoever_registers_them(registry, folder, processes):
    run(folder, [("register", f"model {number}", 2, "the same bytes") for number in range(processes)])
    stats = registry.get_registry_stats()
    assert (stats["total_models"], stats["total_versions"], stats["blobs"]) == (processes, 2 * processes, 1)
    assert len([path for path in (folder / "blobs").rglob("*") if path.is_file()]) == 1
    assert sound(registry)


def test_F23_readers_never_see_half_a_promotion(registry, folder):
    for _ in range(2):
        registry.register_model(None, "fraud", stage="production")
    readers = Crowd(folder, [("read", "fraud@production", 150)] * 4).start()
    for _ in range(30):
        registry.rollback_model("fraud", "#1", check_load=False)
        registry.rollback_model("fraud", "#2", check_load=False)
    for seen in readers.answers():
        assert {(number, stage) for number, stage, _ in seen} <= {(1, "production"), (2, "production")}
        revisions = [revision for _, _, revision in seen]
        assert revisions == sorted(revisions)


def test_F24_a_read_is_never_older_than_the_last_finished_move(registry, folder):
    for _ in range(4):
        registry.register_model(None, "fraud")
    done, wrong = [0], []
    stop = threading.Event()

    def read() -> None:
        with ModelRegistry(folder) as mine:
            while not stop.is_set():
                least = done[0]
                model = mine._service.get_model("fraud")
                if model.sequence < least:
                    wrong.append((least, model.sequence))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(120):
        registry.set_alias("fraud", "champion", f"#{number % 4 + 1}")
        done[0] = registry._service.get_model("fraud").sequence
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert sound(registry)


@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.long)])
def test_F25_collection_beside_registration_never_takes_bytes_that_are_named(registry, folder, seconds):
    stop = threading.Event()
    collected = []

    def collect() -> None:
        with ModelRegistry(folder) as mine:
            while not stop.is_set():
                with contextlib.suppress(Conflict):
                    collected.append(len(mine.gc(dry_run=False, grace_days=0).blobs))

    collector = threading.Thread(target=collect)
    collector.start()
    missing, rounds, end = 0, 0, time.monotonic() + seconds
    with ThreadPoolExecutor(2) as pool:
        while time.monotonic() < end:
            rounds += 1
            tried = pool.map(lambda name: keep(registry, name), (f"a{rounds % 3}", f"b{rounds % 3}"))
            missing += sum(tried)
    stop.set()
    collector.join()
    assert missing == 0
    assert rounds > 3
    assert sum(collected) > 0, "the collector never met what it is to be kept from"
    assert sound(registry)


def keep(registry: ModelRegistry, name: str) -> int:
    """Register the bytes that everybody shares, read them, delete the version; 1 if they were gone."""
    model_id = registry.register_model(io.BytesIO(b"shared bytes"), name)
    digest = registry.get_model(model_id).files[0].digest
    try:
        found = b"".join(registry._service.open_blob(digest))
    except LookupError:
        return 1
    finally:
        registry.delete_model(model_id)
    return int(found != b"shared bytes")


def test_F25_processes_meet_the_collector_too(registry, folder):
    crowd = Crowd(folder, [("churn", f"m{number}", 12) for number in range(3)]).start()
    while any(member.poll() is None for member in crowd.members):
        with contextlib.suppress(Conflict):
            registry.gc(dry_run=False, grace_days=0)
    assert crowd.answers() == [0, 0, 0]
    assert sound(registry)


def test_A58_twenty_threads_on_a_barrier_give_one_promotion(registry):
    registry.register_model(None, "fraud", stage="production")
    rivals = [registry.register_model(None, "fraud") for _ in range(2)]
    before = len(registry.history("fraud"))
    barrier = Barrier(20)

    def promote(number: int) -> str:
        barrier.wait()
        try:
            registry.promote_model(rivals[number % 2], "production", expected="fraud#1")
        except Conflict as conflict:
            return conflict.code
        return "moved"

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(promote, range(20)))
    assert sorted(answers) == ["conflict"] * 19 + ["moved"]
    assert len(registry.list_models(stage="production")) == 1
    assert len(registry.history("fraud")) == before + 1


def test_F38_a_forked_child_uses_a_connection_of_its_own(registry):
    registry.register_model(None, "fraud")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing of pytest may run in here, so the child ends without unwinding.
        try:
            registry.register_model(None, "fraud")
            os.write(writing, str(registry.get_model("fraud").number).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 9) == b"2"
    assert registry.get_model(registry.register_model(None, "fraud")).number == 3
    assert sound(registry)
    os.close(reading)
    os.close(writing)


def test_F38_eight_threads_share_one_registry(registry):
    registry.register_model(None, "fraud")

    def work(number: int) -> int:
        for round_ in range(10):
            registry.tag("fraud#1", **{f"t{number}": str(round_)})
            for _ in range(20):
                assert registry.get_model("fraud#1").number == 1
        return number

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))
    assert registry.get_model("fraud").tags == {f"t{number}": "9" for number in range(8)}
    assert len(registry.history("fraud")) == 81
    assert sound(registry)


def test_F38_a_pickled_registry_opens_the_same_folder_and_carries_no_secret(folder):
    with ModelRegistry(folder, token="sesame-2026") as registry:
        model_id = registry.register_model(None, "fraud")
        data = pickle.dumps(registry)
    assert b"sesame-2026" not in data
    with pickle.loads(data) as again:
        assert again.get_model("fraud").model_id == model_id
        assert repr(again) == f"ModelRegistry({str(folder)!r})"
