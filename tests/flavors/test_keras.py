"""Keras: its own layers are free, everything else needs trust by name. Small models, random weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.flavors.keras import KerasFlavor
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.testing.flavors import FlavorContract

keras = pytest.importorskip("keras", reason="keras is not installed (make test-frameworks)")
pytest.importorskip("torch", reason="keras has no backend: torch is not installed")
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ROWS = np.arange(12.0, dtype="f4").reshape(4, 3) / 12


def network(*extra: Any) -> Any:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    middle = keras.layers.Dense(5, activation="relu", kernel_regularizer="l2")(inputs)
    for layer in extra:
        middle = layer(middle)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.ops.sin(middle)))
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    model.train_on_batch(ROWS, ROWS[:, :2])  # so that the optimizer has a state to save
    return model


@keras.saving.register_keras_serializable(package="house")
class Doubling(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs * 2


DOUBLING = f"{Doubling.__module__}.Doubling"


class TestFunctional(FlavorContract):
    flavor = KerasFlavor()
    data_only = True

    def model(self) -> Any:
        return network(keras.layers.Dropout(0.1))

    def same(self, a: Any, b: Any) -> bool:
        return bool((a.predict(ROWS, verbose=0) == b.predict(ROWS, verbose=0)).all())


class TestSequential(TestFunctional):
    def model(self) -> Any:
        keras.utils.set_random_seed(0)
        layers = [keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(2, "softmax")]
        model = keras.Sequential(layers)
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
        model.compile(keras.optimizers.SGD(schedule), keras.losses.CategoricalCrossentropy())
        return model


class TestOwnLayer(TestFunctional):
    data_only = False
    trusted = (DOUBLING,)

    def model(self) -> Any:
        return network(Doubling())


class TestLambda(TestFunctional):
    data_only = False
    trusted = ("keras.layers.Lambda",)

    def model(self) -> Any:
        return network(keras.layers.Lambda(lambda x: x * 2))


def saved(model: Any, folder: Path) -> FlavorRecord:
    folder.mkdir(exist_ok=True)
    return detect.flavor_for(model).save(model, folder, SaveOptions())


def loaded(folder: Path, record: FlavorRecord, *trust: str) -> Any:
    return detect.load(folder, record, Trust(pinned=frozenset(record.globals), allowed=trust))


def test_a_keras_model_is_its_own_flavor_whatever_its_backend_is() -> None:
    assert detect.flavor_for(network()).name == "keras"


def test_a_record_says_what_the_model_is(tmp_path: Path) -> None:
    record = saved(network(), tmp_path)
    assert (record.framework, record.framework_version) == ("keras", keras.__version__)
    assert record.facts["num_parameters"] == 32
    assert (record.facts["input_shape"], record.facts["output_shape"]) == ([-1, 3], [-1, 2])
    assert (record.globals, record.options) == ((), {"backend": keras.config.backend()})


def test_a_loaded_model_is_compiled_and_can_be_trained_on(tmp_path: Path) -> None:
    model = loaded(tmp_path, saved(network(), tmp_path))
    assert type(model.optimizer) is type(network().optimizer)
    assert int(model.optimizer.iterations.numpy()) == 1
    model.fit(ROWS, ROWS[:, :2], verbose=0)


@pytest.mark.parametrize("backend", ["jax", "numpy"])
def test_a_model_saved_with_one_backend_loads_with_another(backend: str, tmp_path: Path) -> None:
    pytest.importorskip("jax", reason="jax, which both other backends need, is not installed")
    model = network()
    saved(model, tmp_path)
    code = (
        "import sys, numpy as np; from pathlib import Path; from modelyard.flavors import detect;"
        "from modelyard.domain.records import FlavorRecord; from modelyard.ports.flavors import Trust;"
        "model = detect.load(Path(sys.argv[1]), FlavorRecord(name='keras', entry='model.keras'), Trust());"
        "np.save(sys.argv[1] + '/answer.npy', np.array(model(np.load(sys.argv[1] + '/rows.npy'))))"
    )
    np.save(tmp_path / "rows.npy", ROWS)
    environment = {**os.environ, "KERAS_BACKEND": backend}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], check=True, env=environment)
    assert np.allclose(np.load(tmp_path / "answer.npy"), model.predict(ROWS, verbose=0), atol=1e-5)


def test_a_lambda_is_refused_by_default_and_a_star_does_not_open_it(tmp_path: Path) -> None:
    record = saved(network(keras.layers.Lambda(lambda x: x)), tmp_path)
    for trust in ((), ("keras.*",), ("keras.layers.*",)):
        with pytest.raises(LoadRefused) as refused:
            loaded(tmp_path, record, *trust)
        assert refused.value.data["globals"] == ["keras.layers.Lambda"]


def changed(folder: Path, record: FlavorRecord, old: str, new: str) -> FlavorRecord:
    """The archive with one text of its configuration replaced, registered as a file."""
    path = folder / record.entry
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = members["config.json"].decode()
    assert old in config
    members["config.json"] = config.replace(old, new).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return detect.flavor_of_file(path)


@pytest.mark.parametrize(
    ("new", "name"),
    [
        ('"module": "os", "class_name": "system"', "os.system"),
        ('"module": "keras.utils", "class_name": "get_file"', "keras.utils.get_file"),
        ('"module": "keras.layers", "class_name": "TFSMLayer"', "keras.layers.TFSMLayer"),
        ('"module": "my_pkg.layers", "class_name": "Mine"', "my_pkg.layers.Mine"),
        ('"module": "keras.layers", "class_name": "TorchModuleWrapper"', "keras.layers.TorchModuleWrapper"),
    ],
)
def test_a_class_that_is_no_layer_of_keras_is_refused_by_name(new: str, name: str, tmp_path: Path) -> None:
    record = saved(network(keras.layers.Dropout(0.1)), tmp_path)
    record = changed(tmp_path, record, '"module": "keras.layers", "class_name": "Dropout"', new)
    assert record.globals == (name,)
    with pytest.raises(LoadRefused) as refused:
        loaded(tmp_path, record)
    assert refused.value.data["globals"] == [name]


def test_a_registered_class_does_not_hide_behind_a_name_of_keras(tmp_path: Path) -> None:
    record = saved(network(Doubling()), tmp_path)
    record = changed(tmp_path, record, f'"module": "{Doubling.__module__}"', '"module": "keras.layers"')
    assert "house.Doubling" in record.globals
    with pytest.raises(LoadRefused, match=r"house\.Doubling"):
        loaded(tmp_path, record)


def test_a_vocabulary_by_path_is_refused_whoever_is_trusted(tmp_path: Path) -> None:
    record = saved(network(keras.layers.Dropout(0.1)), tmp_path)
    record = changed(tmp_path, record, '"rate": 0.1', '"rate": 0.1, "vocabulary": "/etc/passwd"')
    with pytest.raises(LoadRefused, match=r"/etc/passwd.*no trust opens this"):
        loaded(tmp_path, record, "keras.*")


def test_the_archive_holds_neither_times_nor_addresses(tmp_path: Path) -> None:
    saved(network(keras.layers.Dropout(0.1)), tmp_path)
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert "date_saved" not in json.loads(archive.read("metadata.json"))
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


def test_an_archive_of_another_name_is_known_and_loads(tmp_path: Path) -> None:
    model = network()
    model.save(tmp_path / "x.keras")
    (tmp_path / "x.keras").rename(tmp_path / "weights.bin")
    record = detect.flavor_of_file(tmp_path / "weights.bin")
    assert (record.name, record.framework) == ("keras", "keras")
    assert np.allclose(loaded(tmp_path, record).predict(ROWS, verbose=0), model.predict(ROWS, verbose=0))


def test_what_is_no_model_of_keras_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="expected a Keras 3 model, found list"):
        detect.by_name("keras").save([1], tmp_path, SaveOptions())


def test_an_archive_that_keras_does_not_accept_is_refused(tmp_path: Path) -> None:
    record = saved(network(), tmp_path)
    record = changed(tmp_path, record, '"units": 2', '"units": "two"')
    with pytest.raises(LoadRefused, match="Keras does not accept it"):
        loaded(tmp_path, record)
