"""torch: tensors as data, checkpoints under the guard, programs only with trust. Small models, random weights."""

from __future__ import annotations

import importlib.metadata
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from modelyard.domain.errors import InvalidInput, LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.flavors.torch import TorchFlavor
from modelyard.flavors.torch_programs import TorchExportFlavor, TorchPickleFlavor, TorchScriptFlavor
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.testing.flavors import FlavorContract

torch = pytest.importorskip("torch", reason="torch is not installed (make test-frameworks)")
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),
    pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning"),  # there are programs of it, whatever comes
]

ROWS = torch.arange(12.0).reshape(4, 3) / 12
LAYERS = tuple(
    f"torch.nn.modules.{name}" for name in ("activation.ReLU", "container.Sequential", "linear.Linear")
)


def network() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2)).eval()


def same_tensors(a: Any, b: Any) -> bool:
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a
    )


class TestModule(FlavorContract):
    flavor = TorchFlavor()
    data_only = True

    def model(self) -> Any:
        return network()

    def same(self, a: Any, b: Any) -> bool:
        other = network()
        other.load_state_dict(b)
        return same_tensors(a.state_dict(), b) and torch.equal(a(ROWS), other(ROWS))


class TestStateDict(FlavorContract):
    flavor = TorchFlavor()
    data_only = True

    def model(self) -> Any:
        return {
            "bf16": torch.ones(3, dtype=torch.bfloat16),
            "float8": torch.ones(2, dtype=torch.float8_e4m3fn),
            "complex": torch.tensor([1 + 2j]),
            "bool": torch.tensor([[True], [False]]),
            "scalar": torch.tensor(7),
            "empty": torch.zeros(0, 4),
            "turned": torch.arange(6).reshape(2, 3).t(),
        }

    def same(self, a: Any, b: Any) -> bool:
        return a.keys() == b.keys() and all(
            a[name].dtype == b[name].dtype and a[name].tolist() == b[name].tolist() for name in a
        )


class TestCheckpoint(FlavorContract):
    """Tensors in lists and dicts need names of the allowlist only, so nobody has to trust anything."""

    flavor = TorchPickleFlavor()

    def model(self) -> Any:
        return {"epoch": 3, "weights": network().state_dict(), "history": [torch.tensor(0.5)]}

    def same(self, a: Any, b: Any) -> bool:
        return a["epoch"] == b["epoch"] and same_tensors(a["weights"], b["weights"])


class TestWholeModule(FlavorContract):
    flavor = TorchPickleFlavor()
    trusted = LAYERS

    def model(self) -> Any:
        return network()

    def same(self, a: Any, b: Any) -> bool:
        return torch.equal(a(ROWS), b(ROWS))


class TestScript(TestWholeModule):
    flavor = TorchScriptFlavor()
    trusted = ("torchscript.program",)

    def model(self) -> Any:
        return torch.jit.script(network())


class TestTraced(TestScript):
    def model(self) -> Any:
        return torch.jit.trace(network(), ROWS)


class TestExported(FlavorContract):
    flavor = TorchExportFlavor()
    trusted = ("torch_export.program",)

    def model(self) -> Any:
        return torch.export.export(network(), (ROWS,))

    def same(self, a: Any, b: Any) -> bool:
        return torch.equal(a.module()(ROWS), b.module()(ROWS))


def saved(model: Any, folder: Path, name: str | None = None) -> FlavorRecord:
    return detect.flavor_for(model, name).save(model, folder, SaveOptions())


def test_the_natural_flavor_of_each_kind() -> None:
    kinds = {
        "torch": [network(), network().state_dict(), torch.nn.Identity()],
        "torch_pickle": [torch.ones(2), {"a": {"b": torch.ones(1)}}, {"s": torch.ones(2, 2).to_sparse()}],
        "torchscript": [torch.jit.script(network())],
        "torch_export": [torch.export.export(network(), (ROWS,))],
    }
    for name, models in kinds.items():
        assert [detect.flavor_for(model).name for model in models] == [name] * len(models)


def test_a_record_says_what_the_module_was(tmp_path: Path) -> None:
    record = saved(network(), tmp_path)
    assert (record.framework, record.algorithm) == ("torch", "Sequential")
    assert record.framework_version == importlib.metadata.version("torch")
    assert record.options == {"kind": "module", "class": "torch.nn.modules.container.Sequential"}
    assert record.facts["num_parameters"] == record.facts["num_trainable_parameters"] == 32
    assert record.facts["dtypes"] == ["float32"]
    assert "Linear(in_features=3" in record.facts["architecture"]
    json.dumps([record.facts, record.options])


def test_tied_weights_are_stored_once_and_come_back_under_both_names(tmp_path: Path) -> None:
    model = torch.nn.ModuleDict(
        {"embed": torch.nn.Embedding(100, 8), "head": torch.nn.Linear(8, 100, bias=False)}
    )
    model["head"].weight = model["embed"].weight
    record = saved(model, tmp_path)
    assert (tmp_path / record.entry).stat().st_size < 2 * 100 * 8 * 4
    loaded = detect.load(tmp_path, record, Trust())
    assert torch.equal(loaded["head.weight"], model["embed"].weight)
    assert loaded["head.weight"].data_ptr() == loaded["embed.weight"].data_ptr()


def test_the_file_is_one_that_the_safetensors_library_reads(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.torch")
    record = saved(network(), tmp_path)
    assert same_tensors(library.load_file(tmp_path / record.entry), dict(network().state_dict()))


def test_what_safetensors_has_no_word_for_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"'s' is a torch.sparse_coo.*torch_pickle"):
        saved({"s": torch.ones(2, 2).to_sparse()}, tmp_path, "torch")
    with pytest.raises(InvalidInput, match="torch_pickle"):
        saved(torch.nn.Linear(2, 2, device="meta"), tmp_path, "torch")
    with pytest.raises(InvalidInput, match=r"torch\.nn\.Module"):
        saved([1], tmp_path, "torch")


def test_a_module_with_a_local_class_is_refused_with_the_way_out(tmp_path: Path) -> None:
    class Local(torch.nn.Module):
        pass

    with pytest.raises(InvalidInput, match="move lambdas"):
        saved(Local(), tmp_path, "torch_pickle")


@pytest.mark.parametrize("kind", ["state", "module", "script", "exported"])
def test_files_that_torch_wrote_are_known_by_their_content(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.bin"
    write = {
        "state": lambda: torch.save(network().state_dict(), path),
        "module": lambda: torch.save(network(), path),
        "script": lambda: torch.jit.script(network()).save(str(path)),
        "exported": lambda: torch.export.save(
            torch.export.export(network(), (ROWS,)), tmp_path / "weights.pt2"
        ),
    }
    write[kind]()
    path = next(tmp_path.iterdir())
    record = detect.flavor_of_file(path)
    names = {"script": "torchscript", "exported": "torch_export"}
    assert (record.name, record.framework) == (names.get(kind, "torch_pickle"), "torch")
    pinned = frozenset(record.globals)
    if kind == "state":
        assert same_tensors(detect.load(tmp_path, record, Trust(pinned=pinned)), dict(network().state_dict()))
        return
    with pytest.raises(LoadRefused) as refused:
        detect.load(tmp_path, record, Trust(pinned=pinned))
    detect.load(tmp_path, record, Trust(pinned=pinned, allowed=tuple(refused.value.data["globals"])))


def test_a_hostile_checkpoint_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "canary",)

    torch.save({"w": torch.ones(2), "x": Evil()}, tmp_path / "model.pt")
    record = detect.flavor_of_file(tmp_path / "model.pt")
    with pytest.raises(LoadRefused, match="no trust opens this"):
        detect.load(tmp_path, record, Trust(pinned=frozenset(record.globals), allowed=("*", *record.globals)))
    assert not (tmp_path / "canary").exists()


def test_one_kind_of_archive_is_not_opened_as_another(tmp_path: Path) -> None:
    torch.jit.script(network()).save(str(tmp_path / "model.pt"))
    record = FlavorRecord(name="torch_pickle", entry="model.pt")
    with pytest.raises(LoadRefused, match="expected to be torch, but it is torchscript"):
        detect.load(tmp_path, record, Trust(pinned=frozenset({"torchscript.program"}), allowed=("*",)))


def test_a_damaged_tensor_file_is_refused(tmp_path: Path) -> None:
    record = saved(network(), tmp_path)
    data = (tmp_path / record.entry).read_bytes()
    for broken in (data[:-4], data + b"\0", struct.pack("<Q", 1 << 40) + data[8:]):
        (tmp_path / record.entry).write_bytes(broken)
        with pytest.raises(LoadRefused):
            detect.load(tmp_path, record, Trust())


def test_a_pickle_named_like_a_storage_is_followed(tmp_path: Path) -> None:
    """torch takes the first component as the root, so ``data/data.pkl`` may be the pickle itself."""
    torch.save([torch.ones(1)], tmp_path / "data.pt")
    with zipfile.ZipFile(tmp_path / "data.pt") as archive:
        assert "data/data.pkl" in archive.namelist()
    assert "torch.FloatStorage" in detect.flavor_of_file(tmp_path / "data.pt").globals
