"""MLflow directories: the model inside goes through the flavor that we know, MLflow itself runs only with trust."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from corpus.honest import toy
from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.testing.flavors import FlavorContract

RIDGE = """\
artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
  params: null
utc_time_created: '2026-01-02 03:04:05.678901'
"""


def ridge() -> Any:
    from sklearn.linear_model import Ridge

    rows, _, y = toy()
    return Ridge().fit(rows, y)


def written(folder: Path, mlmodel: str = RIDGE) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "MLmodel").write_text(mlmodel)
    (folder / "model.pkl").write_bytes(pickle.dumps(ridge()))
    (folder / "conda.yaml").write_text("name: mlflow-env\n")
    return folder


def loaded(folder: Path, record: FlavorRecord, *trust: str) -> Any:
    return detect.load(folder, record, Trust(pinned=frozenset(record.globals), allowed=trust))


class TestDirectory(FlavorContract):
    flavor = detect.by_name("mlflow")

    @pytest.fixture(autouse=True)
    def source(self, tmp_path: Path) -> None:
        self.path = written(tmp_path / "mlflow_model")

    def model(self) -> Any:
        return self.path

    def same(self, a: Any, b: Any) -> bool:
        return bool((ridge().predict(toy()[0]) == b.predict(toy()[0])).all())


def test_a_directory_is_known_with_its_signature_and_its_inner_model(tmp_path: Path) -> None:
    record = detect.flavor_of_directory(written(tmp_path))
    assert (record.name, record.entry, record.framework, record.algorithm) == (
        "mlflow",
        ".",
        "scikit-learn",
        "Ridge",
    )
    assert record.facts["mlflow"] == {
        "flavors": ["python_function", "sklearn"],
        "mlflow_version": "3.17.2",
        "signature": {
            "inputs": '[{"type": "double", "name": "x", "required": true}]',
            "outputs": '[{"type": "double", "required": true}]',
            "params": None,
        },
    }
    assert "sklearn.linear_model._ridge.Ridge" in record.globals


def test_a_hostile_pickle_inside_is_refused_as_anywhere(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "canary",)

    folder = written(tmp_path / "model")
    (folder / "model.pkl").write_bytes(pickle.dumps(Evil()))
    record = detect.flavor_of_directory(folder)
    with pytest.raises(LoadRefused, match="no trust opens this"):
        loaded(folder, record, "mlflow.sklearn._load_pyfunc", *record.globals)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("loader", ["my_pkg.loader", "mlflow.pyfunc.model", "mlflow.prophet"])
def test_a_loader_of_its_own_is_named_and_refused_without_trust(loader: str, tmp_path: Path) -> None:
    text = f"flavors:\n  python_function:\n    loader_module: {loader}\n    code: code\n"
    folder = written(tmp_path, text)
    record = detect.flavor_of_directory(folder)
    assert (record.name, record.globals) == ("mlflow", (f"{loader}._load_pyfunc",))
    for trust in ((), ("mlflow.*",)):
        with pytest.raises(LoadRefused) as refused:
            loaded(folder, record, *trust)
        assert refused.value.data["globals"] == [f"{loader}._load_pyfunc"]


def test_no_trust_opens_a_loader_of_the_deny_list(tmp_path: Path) -> None:
    folder = written(tmp_path, "flavors:\n  python_function:\n    loader_module: os\n")
    record = detect.flavor_of_directory(folder)
    with pytest.raises(LoadRefused, match="no trust opens this"):
        loaded(folder, record, "os._load_pyfunc")


@pytest.mark.parametrize("path", ["../secret.pkl", "/etc/passwd", "a/../../x", "C:\\x", "missing.pkl", ""])
def test_a_path_that_leaves_the_directory_is_not_followed(path: str, tmp_path: Path) -> None:
    (tmp_path / "secret.pkl").write_bytes(pickle.dumps([1]))
    folder = written(
        tmp_path / "model", RIDGE.replace("pickled_model: model.pkl", f"pickled_model: '{path}'")
    )
    record = detect.flavor_of_directory(folder)
    assert record.globals == ("mlflow.sklearn._load_pyfunc",)


@pytest.mark.parametrize(
    "text", ["", "[", "flavors: []", "flavors:\n  a: !!python/name:os.system\n", "x: 1", "a: &a [*a]"]
)
def test_another_file_of_that_name_does_not_make_a_model(text: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "model", text)
    assert detect.flavor_of_directory(folder).name == "directory"
    (tmp_path / "copy").mkdir()
    with pytest.raises(InvalidInput, match="no MLmodel file"):
        detect.by_name("mlflow").save(folder, tmp_path / "copy", SaveOptions())


def test_a_directory_that_points_at_itself_is_read_once(tmp_path: Path) -> None:
    folder = written(tmp_path, "flavors:\n  spacy:\n    data: deep\n")
    (folder / "model.pkl").unlink()
    (folder / "deep").symlink_to(folder)
    assert detect.flavor_of_directory(folder).name == "directory"


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    record = FlavorRecord(name="mlflow", options={"inner": {"name": 3}})
    with pytest.raises(LoadRefused, match="damaged"):
        detect.load(written(tmp_path), record, Trust())


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
class TestWrittenByMlflow:
    """Directories that MLflow itself writes."""

    @pytest.fixture
    def mlflow(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/runs.db")
        return pytest.importorskip("mlflow", reason="mlflow is not installed (make test-frameworks)")

    @pytest.mark.parametrize("form", ["cloudpickle", "skops"])
    def test_sklearn(self, form: str, mlflow: Any, tmp_path: Path) -> None:
        import mlflow.sklearn

        rows = toy()[0]
        mlflow.sklearn.save_model(ridge(), tmp_path / "model", serialization_format=form)
        record = detect.flavor_of_directory(tmp_path / "model")
        assert record.facts["mlflow"]["flavors"] == ["python_function", "sklearn"]
        assert (loaded(tmp_path / "model", record).predict(rows) == ridge().predict(rows)).all()

    def test_torch(self, mlflow: Any, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch", reason="torch is not installed (make test-frameworks)")
        import mlflow.pytorch

        model = torch.nn.Linear(3, 1)
        mlflow.pytorch.save_model(model, tmp_path / "model", serialization_format="pickle")
        record = detect.flavor_of_directory(tmp_path / "model")
        assert record.options["inner"]["name"] == "torch_pickle"
        found = loaded(tmp_path / "model", record, "torch.nn.modules.linear.Linear")
        assert torch.equal(found.weight, model.weight)

    def test_spacy(self, mlflow: Any, tmp_path: Path) -> None:
        spacy = pytest.importorskip("spacy", reason="spacy is not installed (make test-frameworks)")
        import mlflow.spacy

        nlp = spacy.blank("en")
        nlp.add_pipe("sentencizer")
        mlflow.spacy.save_model(nlp, tmp_path / "model")
        record = detect.flavor_of_directory(tmp_path / "model")
        assert record.options["inner"]["name"] == "spacy"
        assert loaded(tmp_path / "model", record).pipe_names == ["sentencizer"]

    def test_a_function_of_its_own_runs_only_with_trust(self, mlflow: Any, tmp_path: Path) -> None:
        import mlflow.pyfunc

        def double(model_input: list[float]) -> list[float]:
            return [2 * value for value in model_input]

        mlflow.pyfunc.save_model(tmp_path / "model", python_model=double, input_example=[1.0])
        record = detect.flavor_of_directory(tmp_path / "model")
        name = "mlflow.pyfunc.model._load_pyfunc"
        assert record.globals == (name,)
        with pytest.raises(LoadRefused):
            loaded(tmp_path / "model", record)
        assert loaded(tmp_path / "model", record, name).predict([1.0, 2.0]) == [2.0, 4.0]
