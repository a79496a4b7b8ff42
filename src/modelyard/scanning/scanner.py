"""The default-deny scanner: sniff, follow, look inside, and answer with one verdict."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from typing import BinaryIO, Final

from modelyard.domain.records import ScanReport
from modelyard.scanning import keras, rules, skops, sniff, tars, torchzip, twins, zips
from modelyard.scanning.arrays import scan_npy, scan_safetensors
from modelyard.scanning.boosters import scan_catboost, scan_xgboost
from modelyard.scanning.compression import inflated
from modelyard.scanning.findings import Findings, Unreadable
from modelyard.scanning.graphs import scan_gguf, scan_hdf5, scan_onnx
from modelyard.scanning.mlmodel import scan_mlmodel
from modelyard.scanning.msgpack import is_msgpack
from modelyard.scanning.pickles import Traced, probe, trace
from modelyard.scanning.source import Source, over, window

MAX_DEPTH: Final = 5
MAX_INSIDE: Final = 32 << 20
"""Bytes of a compressed archive that are held in memory to look into it."""
MAX_TEXT: Final = 8 << 20

_PICKLES: Final = torchzip.FORMATS | {"pickle", "joblib"}
_CAPABLE: Final = _PICKLES | {"skops", "keras", "hdf5", "archive"}
_YAML_TAG: Final = re.compile(rb"!!python/|tag:yaml\.org,2002:python/")
_MLMODEL: Final = re.compile(rb"^flavors:|loader_module", re.MULTILINE)
_AUTO_MAP: Final = re.compile(rb'"auto_map"\s*:(?!\s*(?:null|\{\s*\}))')
_NOT_KNOWN: Final = "a format that is not known, so nobody can say what reading it does"


REMEMBERED: Final = 64
REMEMBERED_SIZE: Final = 1 << 20
_REMEMBERED: Final[dict[tuple[str, bytes], ScanReport]] = {}
"""Verdicts on small contents by their digest: a model is traced when it is saved and judged again when it is
registered. Hashing it costs a tenth of tracing it."""


class TracingScanner:
    """Judges content without running it. Stateless and safe to share between threads."""

    def __init__(self) -> None:
        self.ruleset = rules.ruleset()

    def scan(self, stream: BinaryIO, *, size: int) -> ScanReport:
        """Judge a seekable binary stream of ``size`` bytes.

        Verdicts: ``clean`` (read to the end of what can run, every global on the allowlist), ``unsafe`` (a global on
        the deny list, or a change of one), ``unknown`` (not allowlisted, not readable, past a limit, or a format
        that nobody here knows), ``error`` (the scanner failed; judged like ``unsafe``).
        """
        if size > REMEMBERED_SIZE:
            return self._judge(stream, size)
        content = stream.read(size)
        key = (self.ruleset, hashlib.sha256(content).digest())
        if (known := _REMEMBERED.get(key)) is None:
            known = self._judge_whole(content)
            if known.verdict == "error":
                return known
            if len(_REMEMBERED) >= REMEMBERED:
                _REMEMBERED.clear()
            _REMEMBERED[key] = known
        return known

    def recall(self, digest: str) -> ScanReport | None:
        """The verdict on bytes that hash to ``sha256:<hex>``, if they were small and judged lately.

        Who knows the digest of what is stored need not read it to ask again.
        """
        return _REMEMBERED.get((self.ruleset, bytes.fromhex(digest.removeprefix("sha256:"))))

    def _judge_whole(self, content: bytes) -> ScanReport:
        """Judge what is in memory, or tell the verdict on its twin; a plain pickle is the only kind that has one."""
        if sniff.sniff(content[: sniff.HEAD], len(content)) != "pickle":
            return self._judge(io.BytesIO(content), len(content))
        if (known := twins.verdict_like(content, self.ruleset)) is not None:
            return known
        source = Source(io.BytesIO(content), len(content))
        source.skipped = []
        report = self._judge_source(source)
        if 0 < len(source.skipped) <= twins.MOST_SPANS and report.verdict != "error":
            twins.remember(content, tuple(source.skipped), report)
        return report

    def _judge(self, stream: BinaryIO, size: int) -> ScanReport:
        return self._judge_source(over(stream, size))

    def _judge_source(self, source: Source) -> ScanReport:
        findings = Findings()
        try:
            format_, kind = Inspection(findings).blob(source, depth=0)
        except Exception as error:
            report = findings.report(format_="unknown", kind="unknown")
            reasons = (f"the scanner failed: {type(error).__name__}", *report.reasons)
            verdict = "unsafe" if findings.unsafe else "error"
            return ScanReport(verdict=verdict, globals=report.globals, reasons=reasons, ruleset=self.ruleset)
        return findings.report(format_=format_, kind=kind)


class Inspection:
    """One walk over a blob and what it contains."""

    def __init__(self, findings: Findings):
        self.findings = findings

    def blob(self, source: Source, *, depth: int) -> tuple[str, str]:
        """Judge what begins at the source's position; returns (format, kind). Damage becomes a doubt here."""
        format_ = sniff.sniff(source.peek(sniff.HEAD), source.size)
        try:
            format_ = self._dispatch(format_, source, depth)
        except Unreadable as error:
            self.findings.doubt(str(error))
        return format_, _kind(format_, self.findings)

    def _dispatch(self, format_: str, source: Source, depth: int) -> str:
        if format_ in sniff.COMPRESSED:
            return self._compressed(format_, source, depth)
        if format_ == "pickle":
            return self._pickle(source)
        if source.size is None:
            return self._inside(format_, source, depth)
        if format_ in ("zip", "tar"):
            return self._archive(format_, source, source.size, depth)
        return self._plain(format_, source)

    def _pickle(self, source: Source) -> str:
        traced = Traced()
        try:
            trace(source, self.findings, traced=traced)
        except Unreadable as error:
            self.findings.doubt(str(error))
        return "joblib" if traced.wrapped else "pickle"

    def _compressed(self, method: str, source: Source, depth: int) -> str:
        if depth >= MAX_DEPTH:
            raise Unreadable(f"more than {MAX_DEPTH} layers of compression and archives")
        size = source.size if source.size is not None else MAX_INSIDE
        inner, _ = self.blob(Source(inflated(source.stream, method, size=size), None), depth=depth + 1)
        # joblib opens every one of these layers by itself; a gzip of a plain pickle is what pickle users write
        return "joblib" if inner == "pickle" and method != "gzip" else inner

    def _inside(self, format_: str, source: Source, depth: int) -> str:
        """Something compressed that is not a pickle: hold it in memory if it is small enough to be looked into."""
        data = source.read(MAX_INSIDE + 1)
        if len(data) <= MAX_INSIDE:
            return self.blob(Source(io.BytesIO(data), len(data)), depth=depth + 1)[0]
        if format_ not in sniff.DATA:
            raise Unreadable(f"compressed {format_} data above {MAX_INSIDE} bytes, too large to look into")
        return format_

    def _plain(self, format_: str, source: Source) -> str:
        """A format of its own. Whatever it looks like, it may also be read as an old pickle: see ``probe``."""
        try:
            self._content(format_, source)
        finally:
            source.stream.seek(0)
            is_pickle = probe(source, self.findings)
        if is_pickle:
            return "pickle"
        if format_ == "unknown" and is_msgpack(source, self.findings):
            return "msgpack"
        if format_ == "unknown":
            self.findings.doubt(_NOT_KNOWN)
        return format_

    def _content(self, format_: str, source: Source) -> None:
        reader = _READERS.get(format_)
        if reader is not None:
            reader(source, self.findings)
        elif format_ in ("zstd", "7z", "rar"):
            raise Unreadable(f"a {format_} archive, which cannot be looked into")
        if format_ in sniff.CODE:
            self.findings.doubt(f"program code ({format_})")

    def _archive(self, format_: str, source: Source, size: int, depth: int) -> str:
        if depth >= MAX_DEPTH:
            raise Unreadable(f"more than {MAX_DEPTH} layers of compression and archives")
        if format_ == "tar":
            for member in tars.members(source.stream, size, self.findings):
                self._member(member, source, depth)
            return "tar"
        listed = list(zips.members(source.stream, size, self.findings))
        names = [member.name for member in listed]
        flavor = _flavor_of(names)
        for member in listed:
            self._zip_member(flavor, torchzip.root_of(names), member, source, depth)
        return flavor

    def _zip_member(self, flavor: str, root: str, member: zips.Member, source: Source, depth: int) -> None:
        if flavor in torchzip.FORMATS:
            self._torch_member(flavor, root, member, source, depth)
        elif flavor == "skops" and member.name == "schema.json":
            skops.scan_schema(self._whole(member, source, skops.MAX_SCHEMA), self.findings)
        elif flavor == "keras" and member.name == "config.json":
            keras.scan_config(self._whole(member, source, keras.MAX_CONFIG), self.findings)
        elif flavor == "keras" and member.name == keras.WEIGHTS:
            if sniff.sniff(self._opened(member, source).peek(sniff.HEAD), member.stored) != "hdf5":
                self.findings.doubt("weights that are no HDF5 file")
        elif not member.name.endswith("/"):
            self._member(member, source, depth)

    def _torch_member(self, flavor: str, root: str, member: zips.Member, source: Source, depth: int) -> None:
        name = member.name
        if flavor == "torch_export":
            self.findings.look_up(torchzip.EXPORT)
            self._weight(member, source, depth, raw=torchzip.is_weight(root, name))
        elif torchzip.is_storage(root, name):
            return  # raw numbers, which data.pkl refers to
        elif flavor == "torchscript":
            self.findings.look_up(torchzip.SCRIPT)
            if name.endswith((".pkl", ".debug_pkl")):
                torchzip.scan_script(self._opened(member, source), self.findings)
            elif not name.startswith((f"{root}/code/", f"{root}/constants/")):
                self._member(member, source, depth)
        elif name.endswith("data.pkl"):
            torchzip.scan_objects(self._opened(member, source), self.findings)
        elif not name.endswith("/"):
            self._member(member, source, depth)

    def _weight(self, member: zips.Member, source: Source, depth: int, *, raw: bool) -> None:
        """A member of an exported program; raw numbers are no format, unless they are a pickle or an archive."""
        inner = Inspection(Findings())
        inner._member(member, source, depth)
        if raw and not inner.findings.names:
            inner.findings.unknown.pop(_NOT_KNOWN, None)
        self.findings.absorb(inner.findings)

    def _member(self, member: zips.Member, source: Source, depth: int) -> None:
        try:
            self.blob(self._opened(member, source), depth=depth + 1)
        except Unreadable as error:
            self.findings.doubt(str(error))

    def _opened(self, member: zips.Member, source: Source) -> Source:
        raw = window(source.stream, member.start, member.stored)
        if member.method == 0:
            return raw
        if member.method == 8:
            return Source(inflated(raw.stream, "deflate", size=member.stored), None)
        raise Unreadable(f"archive entry {member.name[:80]!r} is packed in an uncommon way")

    def _whole(self, member: zips.Member, source: Source, most: int) -> bytes:
        data = self._opened(member, source).read(most + 1)
        if len(data) > most:
            raise Unreadable(f"archive entry {member.name[:80]!r} is larger than {most} bytes")
        return data


def _scan_text(source: Source, findings: Findings) -> None:
    text = source.read(MAX_TEXT)
    if _YAML_TAG.search(text):
        findings.refuse("a YAML tag that constructs Python objects")
    if _MLMODEL.search(text):
        scan_mlmodel(text.decode("utf-8", "replace"), findings)
    if _AUTO_MAP.search(text):
        findings.doubt("a configuration that names code of its own to be run (auto_map)")


_READERS: Final[dict[str, Callable[[Source, Findings], object]]] = {
    "npy": scan_npy,
    "safetensors": scan_safetensors,
    "gguf": scan_gguf,
    "onnx": scan_onnx,
    "hdf5": scan_hdf5,
    "xgboost": scan_xgboost,
    "catboost": scan_catboost,
    "lightgbm": _scan_text,
    "xgboost_json": _scan_text,
    **dict.fromkeys(sniff.TEXTS, _scan_text),
}


def _flavor_of(names: list[str]) -> str:
    if "schema.json" in names:
        return "skops"
    if found := torchzip.kind_of(names):
        return found
    if keras.MEMBERS.issubset(names):
        return "keras"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    return "zip"


def _kind(format_: str, findings: Findings) -> str:
    if format_ in sniff.CODE:
        return "code"
    if format_ in _CAPABLE or findings.names:
        return "code-capable"
    return "unknown" if format_ in ("unknown", "zstd", "7z", "rar") else "data"
