"""ONNX: a graph as a protocol buffer, with its weights inside or in files beside it.

Weights outside are named by path (onnx.proto, ``TensorProto.external_data``). They are read here, from files of the
version alone; onnx's own reader follows the same rules but refuses the links under which verified files are offered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency, NotSupported
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files
from modelyard.ports.flavors import SaveOptions, Trust
from modelyard.scanning import sniff
from modelyard.scanning.zips import escapes

ENTRY: Final = "model.onnx"
MOST: Final = (2 << 30) - 1
"""Bytes that one protocol buffer may have."""
_FEW: Final = 256
_EXTERNAL: Final = 1  # TensorProto.DataLocation


class OnnxFlavor:
    """A ``ModelProto``."""

    name = "onnx"
    forms = ("session",)

    def accepts(self, model: object) -> bool:
        """True for onnx's ``ModelProto``, whichever generated module it is from."""
        cls = type(model)
        return cls.__name__ == "ModelProto" and cls.__module__.partition(".")[0] in ("onnx", "onnx_ml_pb2")

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.onnx``, byte-stable. ``compress`` has no meaning here.

        Raises:
            InvalidInput: It is no ``ModelProto``, its weights lie in other files, or it has more than 2 GiB.
        """
        if not self.accepts(model):
            raise InvalidInput(
                f"serialization_format='onnx' takes a ModelProto, found {type(model).__name__}"
            )
        graph: Any = model
        if any(tensor.data_location == _EXTERNAL for tensor in _tensors(graph)):
            raise InvalidInput(
                "this ModelProto refers to weights in other files; load them first (onnx.load does), "
                "or register the directory that holds all of them"
            )
        if graph.ByteSize() > MOST:
            raise InvalidInput(
                "this ModelProto has more than 2 GiB, the most that one file can hold; save it with "
                "onnx.save(..., save_as_external_data=True) into a directory and register that"
            )
        (directory / ENTRY).write_bytes(graph.SerializeToString(deterministic=True))
        record = capture.describe(model, name=self.name, entry=ENTRY, options={})
        return replace(
            record, framework="onnx", framework_version=capture.module_version("onnx"), facts=facts(graph)
        )

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Nothing: a graph of known operators is data."""
        return ()

    def load(self, directory: Path, record: FlavorRecord, trust: Trust, *, form: str = "") -> Any:
        """The ``ModelProto`` with all weights in it; ``form="session"`` gives an ``onnxruntime.InferenceSession``.

        Raises:
            LoadRefused: It is not ONNX, or its weights lie outside the version's files.
            MissingDependency: onnx (or onnxruntime for a session) is not installed.
            NotSupported: A session was wanted of a model with more than 2 GiB.
        """
        path = files.entry_of(directory, record)
        model = _parsed(path)
        root = path.parent
        for tensor in _tensors(model):
            if tensor.data_location == _EXTERNAL:
                _take_in(tensor, root, record.entry)
        return _session(model) if form == "session" else model


def recognise(directory: Path) -> FlavorRecord | None:
    """A directory with exactly one ONNX file at its top and only its data beside: how that is loaded, else ``None``."""
    found = [path for path in sorted(directory.iterdir()) if path.is_file() and _is_onnx(path)]
    if len(found) != 1:
        return None
    return FlavorRecord(name="onnx", entry=found[0].name, framework="onnx", algorithm="ModelProto")


def facts(model: Any) -> dict[str, Any]:
    """Inputs and outputs (``-1`` for a free axis), operator sets and sizes of a graph."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [_described(value) for value in model.graph.input if value.name not in weights]
    found: dict[str, Any] = {
        "inputs": inputs[:_FEW],
        "outputs": [_described(value) for value in model.graph.output][:_FEW],
        "opsets": {one.domain or "ai.onnx": int(one.version) for one in model.opset_import},
        "ir_version": int(model.ir_version),
        "num_nodes": len(model.graph.node),
        "num_parameters": sum(math.prod(tensor.dims) for tensor in model.graph.initializer),
    }
    shape = inputs[0]["shape"] if len(inputs) == 1 else None
    if shape and len(shape) == 2 and shape[1] > 0:
        found["n_features_in"] = shape[1]
    if model.producer_name:
        found["producer"] = f"{model.producer_name} {model.producer_version}".strip()
    return found


def _described(value: Any) -> dict[str, Any]:
    """Name, element type and shape of an input or output; shape ``None`` where the graph does not say."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return {"name": value.name, "type": (kind or "").removesuffix("_type"), "shape": None}
    tensor = value.type.tensor_type
    known = tensor.HasField("shape")
    axes = [int(axis.dim_value) if axis.HasField("dim_value") else -1 for axis in tensor.shape.dim]
    return {"name": value.name, "type": _element(tensor.elem_type), "shape": axes if known else None}


def _element(code: int) -> str:
    from onnx import TensorProto

    known = code in TensorProto.DataType.values()
    return str(TensorProto.DataType.Name(code)).lower() if known else str(code)


def _is_onnx(path: Path) -> bool:
    with path.open("rb") as file:
        return sniff.sniff(file.read(sniff.HEAD), path.stat().st_size) == "onnx"


def _parsed(path: Path) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise MissingDependency("this model needs onnx: pip install 'modelyard[onnx]'") from error
    try:
        return onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, ValueError, TypeError) as error:
        raise LoadRefused(f"{path.name} is not loaded: it is not an ONNX model ({error})") from error


def _tensors(model: Any) -> Iterator[Any]:
    """Every tensor that may lie outside: initialisers and attributes, in graphs within graphs and in functions."""
    graphs = [model.graph, *model.functions]
    for training in model.training_info:
        graphs += [training.initialization, training.algorithm]
    while graphs:
        graph = graphs.pop()
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        attributes = [attribute for node in graph.node for attribute in node.attribute]
        for attribute in [*attributes, *getattr(graph, "attribute_proto", ())]:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            graphs += [attribute.g] if attribute.HasField("g") else []
            graphs += attribute.graphs


def _take_in(tensor: Any, root: Path, entry: str) -> None:
    """Read one tensor's bytes from a neighbouring file and forget where they were.

    Raises:
        LoadRefused: The file is not one of this version, or shorter than the tensor says.
    """
    where = {item.key: item.value for item in tensor.external_data}
    location = where.get("location", "")
    source = root / location
    if not location or escapes(location) or not source.is_file():
        raise LoadRefused(
            f"{entry} is not loaded: its weights {tensor.name!r} lie in {location!r}, which is not a file of this "
            "version; register the directory that holds the model with all its files"
        )
    size = source.stat().st_size
    start, length = _whole(where, "offset", 0), _whole(where, "length", -1)
    length = size - start if length < 0 else length
    if start < 0 or length < 0 or start + length > size:
        raise LoadRefused(f"{entry} is not loaded: {location!r} is shorter than {tensor.name!r} needs")
    with source.open("rb") as file:
        file.seek(start)
        tensor.raw_data = file.read(length)
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")


def _whole(where: dict[str, str], key: str, default: int) -> int:
    text = where.get(key, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 20):
        raise LoadRefused(f"weights outside the graph have the {key} {text[:40]!r}, which is no whole number")
    return int(text) if text else default


def _session(model: Any) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingDependency("form='session' needs onnxruntime: pip install onnxruntime") from error
    if model.ByteSize() > MOST:
        raise NotSupported(
            "a session is made of at most 2 GiB here; download the version and give onnxruntime the path"
        )
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
