"""From versions back to models and files."""

import gzip
import io
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from modelyard import AlreadyExists, BlobDamaged, LoadRefused, ModelRegistry, NotAllowed, NotFound
from modelyard.client.load import placed
from modelyard.testing.metadata import a_version

sklearn = pytest.importorskip("sklearn.linear_model")


class Mine:
    """A class of the user's own."""

    def __init__(self, weight):
        self.weight = weight


@pytest.fixture(scope="module")
def model():
    return sklearn.LogisticRegression().fit([[0.0], [1.0]], [0, 1])


def flip(path):
    """Damage a stored file."""
    path = Path(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def test_an_estimator_comes_back_and_predicts(registry, model):
    registry.register_model(model, "fraud")
    loaded, version = registry.load_model("fraud", return_metadata=True)
    assert list(loaded.predict([[0.0], [1.0]])) == [0, 1]
    assert (version.algorithm, version.framework) == ("LogisticRegression", "scikit-learn")
    assert Path(version.artifact_path).is_file()


def test_a_damaged_model_is_refused_before_anything_is_read(registry, model):
    version = registry.get_model(registry.register_model(model, "fraud"))
    assert registry.load_model("fraud")
    flip(version.artifact_path)
    with pytest.raises(BlobDamaged):
        registry.load_model("fraud")


def test_classes_of_ones_own_load_for_whoever_registered_them(registry, monkeypatch, tmp_path):
    registry.register_model(Mine(3), "fraud")
    assert registry.load_model("fraud").weight == 3
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "another user"))
    with pytest.raises(LoadRefused, match="Mine"):
        registry.load_model("fraud")
    assert registry.load_model("fraud", trust=[f"{Mine.__module__}.*"]).weight == 3


def test_a_models_policy_says_what_it_needs_and_opens_nothing(registry, tmp_path):
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps(Mine(3)))
    registry.register_model(tmp_path / "mine.pkl", "fraud")
    with pytest.raises(LoadRefused) as refused:
        registry.load_model("fraud")
    assert "policy" not in str(refused.value)
    needed = [f"{Mine.__module__}.*"]
    registry.set_policy("fraud", {"trust": needed})
    with pytest.raises(LoadRefused, match="policy says it needs trust=") as refused:
        registry.load_model("fraud")
    assert refused.value.data["declared"] == needed
    assert refused.value.data["globals"] == [f"{Mine.__module__}.Mine"]
    assert registry.load_model("fraud", trust=refused.value.data["declared"]).weight == 3


@pytest.mark.parametrize("trust", [[], ["typing.*"], ["typing._eval_type", "typing.ForwardRef"]])
def test_A52_no_policy_and_no_call_gets_a_command_run(registry, tmp_path, trust):
    canary = tmp_path / "canary"
    command = f"__import__('pathlib').Path({str(canary)!r}).touch()".encode()
    forward = b"(ctyping\n_eval_type\n(ctyping\nForwardRef\n(V" + command + b"\ntR}}tR."
    (tmp_path / "evil.pkl").write_bytes(b"\x80\x02" + forward[1:])
    registry.register_model(tmp_path / "evil.pkl", "evil")
    registry.set_policy("evil", {"trust": ["typing.*"]})
    with pytest.raises(LoadRefused) as refused:
        registry.load_model("evil", trust=trust)
    assert "policy" not in str(refused.value)
    pickle.loads((tmp_path / "evil.pkl").read_bytes())
    assert canary.exists()


def test_raw_files_load_as_the_path_of_a_verified_copy(registry, tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "w.bin").write_bytes(b"weights")
    registry.register_model(tmp_path / "net", "fraud")
    folder = registry.load_model("fraud")
    assert (folder / "w.bin").read_bytes() == b"weights"
    (folder / "w.bin").write_bytes(b"changed by its user")
    assert (registry.load_model("fraud") / "w.bin").read_bytes() == b"weights"
    assert registry.fsck(deep=True).ok


def test_a_version_of_facts_has_nothing_to_load_or_download(registry, tmp_path):
    registry.register_model(None, "fraud")
    with pytest.raises(NotFound, match="facts only"):
        registry.load_model("fraud")
    with pytest.raises(NotFound, match="facts only"):
        registry.download("fraud", tmp_path / "copy")


def test_a_download_is_whole_and_overwrites_nothing(registry, tmp_path):
    registry.register_model(io.BytesIO(b"weights"), "fraud", artifacts={"a/b.txt": __file__})
    copy = registry.download("fraud", tmp_path / "new" / "copy")
    assert (copy / "model.bin").read_bytes() == b"weights"
    assert (copy / "a" / "b.txt").read_bytes() == Path(__file__).read_bytes()
    (tmp_path / "empty").mkdir()
    registry.download("fraud", tmp_path / "empty")
    for taken in (copy, Path(__file__)):
        with pytest.raises(AlreadyExists):
            registry.download("fraud", taken)


def test_a_damaged_file_leaves_no_half_of_a_download(registry, tmp_path):
    version = registry.get_model(
        registry.register_model(io.BytesIO(b"weights"), "fraud", artifacts={"a.txt": __file__})
    )
    flip(version.artifact_path)
    with pytest.raises(BlobDamaged):
        registry.download("fraud", tmp_path / "out" / "copy")
    assert list((tmp_path / "out").iterdir()) == []


def test_where_bytes_are_no_files_the_address_is_opaque_and_everything_still_loads(model, tmp_path):
    with ModelRegistry("memory://") as registry:
        version = registry.get_model(registry.register_model(model, "fraud", artifacts={"a.txt": __file__}))
        assert version.artifact_path == f"modelyard:{version.digest}/model.joblib"
        assert list(registry.load_model("fraud").predict([[1.0]])) == [1]
        assert len(list(registry.download("fraud", tmp_path / "copy").iterdir())) == 2


def live(registry, *models, **facts):
    """Versions that were in production one after the other."""
    for model in models:
        registry.promote_model(registry.register_model(model, "fraud", **facts), "production")


def test_a_rollback_proves_by_loading_and_keeps_the_proof(registry, model):
    live(registry, model, model)
    done = registry.rollback_model("fraud", reason="drift")
    assert (done.moved, done.candidate.number, done.load_check["ok"]) == (True, 1, True)
    assert registry.get_model("fraud#1").load_check["ok"] is True


def test_a_candidate_that_does_not_load_is_passed_over_with_the_reason(registry, model, tmp_path):
    (tmp_path / "broken.pkl").write_bytes(gzip.compress(b"no pickle"))
    live(registry, model, Mine(1), model)
    broken = registry.get_model("fraud#2")
    path = Path(broken.artifact_path)
    assert path.is_file()
    done = registry.rollback_model("fraud")
    said = {c.version.number: c.reasons for c in done.considered}
    assert done.candidate.number in (1, 2)
    assert all(reasons == () or "does not load" in reasons[0] for reasons in said.values())


def test_a_drill_loads_too_and_moves_nothing(registry, model):
    live(registry, model, model)
    before = registry.history("fraud")
    plan = registry.rollback_model("fraud", drill=True)
    assert (plan.moved, plan.load_check["ok"], plan.candidate.number) == (False, True, 1)
    assert registry.history("fraud") == before


def test_the_load_check_may_be_left_out_and_raw_files_have_none(registry, model, tmp_path):
    live(registry, model, model)
    assert registry.rollback_model("fraud", check_load=False).load_check is None
    live(registry, io.BytesIO(b"a"), io.BytesIO(b"b"))
    assert registry.rollback_model("fraud").load_check is None


def test_without_a_sound_candidate_every_reason_is_given(registry, model, monkeypatch, tmp_path):
    live(registry, Mine(1), model)
    monkeypatch.setenv("MODELYARD_CONFIG_DIR", str(tmp_path / "another user"))
    plan = registry.rollback_model("fraud", drill=True)
    assert plan.candidate is None
    with pytest.raises(NotAllowed) as refused:
        registry.rollback_model("fraud")
    assert "does not load" in refused.value.reasons[0]
    assert registry.get_model("fraud@production").number == 2


def test_with_one_version_there_is_no_way_back(registry, model):
    live(registry, model)
    with pytest.raises(NotAllowed, match="nothing to roll"):
        registry.rollback_model("fraud")


def test_a_placed_version_is_the_same_version_with_a_path():
    version = a_version(tags={"team": "risk"}, aliases=("champion",))
    untouched = replace(version)
    assert placed(version, "somewhere") == replace(version, artifact_path="somewhere")
    assert version == untouched
