"""torch: the tensors of a module or state dict as safetensors. Data alone, which nobody has to trust.

A module's class is recorded, not stored: loading gives the state dict, for ``module.load_state_dict``. Who wants the
whole object back asks for ``serialization_format="torch_pickle"``, and pays with trust.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.domain.errors import InvalidInput, LoadRefused, MissingDependency, NotSupported
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import capture, files
from modelyard.flavors.safetensors import canonical_header, read_header
from modelyard.ports.flavors import SaveOptions, Trust

ENTRY: Final = "model.safetensors"
MODULE: Final = "torch.nn.modules.module.Module"
SCRIPT: Final = "torch.jit._script.ScriptModule"
TENSOR: Final = "torch.Tensor"
WORDS: Final = {
    "torch.bool": "BOOL", "torch.uint8": "U8", "torch.int8": "I8", "torch.int16": "I16", "torch.uint16": "U16",
    "torch.float16": "F16", "torch.bfloat16": "BF16", "torch.int32": "I32", "torch.uint32": "U32",
    "torch.float32": "F32", "torch.int64": "I64", "torch.uint64": "U64", "torch.float64": "F64",
    "torch.complex64": "C64", "torch.float8_e4m3fn": "F8_E4M3", "torch.float8_e5m2": "F8_E5M2",
    "torch.float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip
"""torch's dtypes -> the words of the format (safetensors README, "Format")."""
_SHOWN: Final = 2000


class TorchFlavor:
    """A ``torch.nn.Module``, or a dict of tensors by name."""

    name = "torch"

    def accepts(self, model: object) -> bool:
        """True for modules that are no TorchScript, and for dicts of names to dense tensors."""
        bases = bases_of(model)
        if MODULE in bases:
            return SCRIPT not in bases
        return (
            isinstance(model, dict)
            and is_state_dict(model)
            and all(_is_dense(tensor) for tensor in model.values())
        )

    def save(self, model: object, directory: Path, options: SaveOptions) -> FlavorRecord:
        """Write ``model.safetensors``: names sorted, tensors that are one and the same stored once. Byte-stable.

        Raises:
            InvalidInput: It is neither, or a value is no dense tensor (sparse, quantised, an extra state).
        """
        torch_here()
        state = _state_of(model)
        kept, tied = _without_twins(state)
        described = [(name, _word(kept[name]), kept[name].shape, _size(kept[name])) for name in sorted(kept)]
        with (directory / ENTRY).open("wb") as file:
            file.write(canonical_header(described, {"format": "pt", **tied}))
            for name in sorted(kept):
                _raw(kept[name]).tofile(file)
        return _record(model, kept, tied)

    def audit(self, directory: Path, record: FlavorRecord) -> tuple[str, ...]:
        """Nothing: tensors are data."""
        return ()

    def load(self, directory: Path, record: FlavorRecord, trust: Trust) -> dict[str, Any]:
        """The state dict, on the CPU.

        Raises:
            LoadRefused: The file is not exactly what the format allows.
            NotSupported: A dtype that torch does not have.
        """
        path = files.entry_of(directory, record)
        header, start = read_header(path)
        metadata = header.pop("__metadata__", {})
        tensors = {name: _read(path, start, name, entry) for name, entry in header.items()}
        for name, twin in metadata.items():
            if name not in tensors and twin in header:
                tensors[name] = tensors[twin]
        return tensors


def bases_of(model: object) -> set[str]:
    """Full names of the classes that an object descends from, so that nothing is imported to know it."""
    return {f"{cls.__module__}.{cls.__qualname__}" for cls in type(model).__mro__}


def is_tensor(value: object) -> bool:
    """True for a ``torch.Tensor`` and what descends from it."""
    return TENSOR in bases_of(value)


def is_state_dict(model: object) -> bool:
    """True for a non-empty dict of names to tensors."""
    return (
        isinstance(model, dict)
        and bool(model)
        and all(isinstance(key, str) and is_tensor(value) for key, value in model.items())
    )


def torch_here() -> Any:
    """The library.

    Raises:
        MissingDependency: It is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDependency("this model needs torch: pip install 'modelyard[torch]'") from error
    return torch


def full_name(model: object) -> str:
    """``module.Class`` of an object."""
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _state_of(model: Any) -> Mapping[str, Any]:
    state = model.state_dict() if MODULE in bases_of(model) else model
    if not isinstance(state, dict) or (state is model and not is_state_dict(model)):
        raise InvalidInput(
            f"expected a torch.nn.Module or a dict of names to tensors, found {type(model).__name__}"
        )
    for name, value in state.items():
        if not _is_dense(value):
            raise InvalidInput(
                f"{name!r} is a {_kind(value)}, which safetensors has no word for; "
                "use serialization_format='torch_pickle'"
            )
    return state


def _is_dense(value: Any) -> bool:
    return (
        is_tensor(value)
        and str(value.layout) == "torch.strided"
        and str(value.dtype) in WORDS
        and not value.is_meta
    )


def _kind(value: Any) -> str:
    return f"{value.layout} tensor of {value.dtype}" if is_tensor(value) else type(value).__name__


def _word(tensor: Any) -> str:
    return WORDS[str(tensor.dtype)]


def _size(tensor: Any) -> int:
    return int(tensor.numel() * tensor.element_size())


def _without_twins(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors to store, and the names that stand for one of them: tied weights share their memory entirely."""
    kept: dict[str, Any] = {}
    tied: dict[str, str] = {}
    seen: dict[Any, str] = {}
    for name in sorted(state):
        tensor = state[name]
        where = (tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())
        if tensor.numel() and where in seen:
            tied[name] = seen[where]
        else:
            seen[where] = name
            kept[name] = tensor
    return kept, tied


def _raw(tensor: Any) -> Any:
    """The tensor's bytes in C order, as a numpy array."""
    import torch

    dense = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    if dense.is_complex():
        dense = torch.view_as_real(dense)
    return dense.reshape(-1).view(torch.uint8).numpy()


def _read(path: Path, start: int, name: str, entry: Mapping[str, Any]) -> Any:
    torch = torch_here()
    import numpy as np

    word = next((dtype for dtype, known in WORDS.items() if known == entry["dtype"]), "")
    dtype = getattr(torch, word.removeprefix("torch."), None) if word else None
    if dtype is None:
        raise NotSupported(
            f"{path.name}: this torch has no {entry['dtype']} for {name!r}; download the file instead"
        )
    begin, end = entry["data_offsets"]
    raw = torch.from_numpy(np.fromfile(path, dtype="u1", count=end - begin, offset=start + begin))
    if raw.numel() != end - begin:
        raise LoadRefused(f"{path.name} ends before {name!r} is complete; nothing was loaded")
    return (
        raw.view(dtype).reshape(entry["shape"]) if end > begin else torch.empty(entry["shape"], dtype=dtype)
    )


def _record(model: Any, kept: Mapping[str, Any], tied: Mapping[str, str]) -> FlavorRecord:
    is_module = MODULE in bases_of(model)
    record = capture.describe(model if is_module else {}, name="torch", entry=ENTRY, options={})
    options: dict[str, Any] = {"kind": "module" if is_module else "state_dict"}
    facts: dict[str, Any] = {
        "num_tensors": len(kept) + len(tied),
        "num_parameters": _count(kept.values()),
        "dtypes": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in kept.values()}),
    }
    if is_module:
        options["class"] = full_name(model)
        trainable = (parameter for parameter in model.parameters() if parameter.requires_grad)
        facts |= {
            "num_parameters": _count(model.parameters()),
            "num_trainable_parameters": _count(trainable),
            "architecture": capture.jsonable(_text(model)),
        }
    return replace(
        record,
        options=options,
        facts=facts,
        framework="torch",
        framework_version=capture.version_of("torch") or capture.module_version("torch"),
        algorithm=type(model).__name__ if is_module else "",
    )


def _count(tensors: Iterable[Any]) -> int:
    return sum(int(tensor.numel()) for tensor in tensors)


def _text(model: Any) -> str:
    try:
        return repr(model)[:_SHOWN]
    except Exception:  # a module that cannot print itself is still a module
        return ""
