"""What every flavor has to keep: subclass, say which flavor and which model, and run it with pytest.

class TestMine(FlavorContract):
    flavor = MyFlavor()
    def model(self): ...
    def same(self, a, b): ...
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from modelyard.domain.errors import LoadRefused
from modelyard.domain.records import FlavorRecord
from modelyard.flavors import detect
from modelyard.ports.flavors import Flavor, SaveOptions, Trust


class FlavorContract:
    """The law of flavors.

    Attributes:
        flavor: The flavor under test.
        options: How models are saved here.
        stable: Whether saving the same object twice gives the same bytes (skops does not; that is a documented limit).
        data_only: Whether loading can run nothing, so that there is nothing to trust.
        trusted: Patterns that the caller has to trust for this model.
    """

    flavor: ClassVar[Flavor]
    options: ClassVar[SaveOptions] = SaveOptions()
    stable: ClassVar[bool] = True
    data_only: ClassVar[bool] = False
    trusted: ClassVar[tuple[str, ...]] = ()

    def model(self) -> Any:
        """A fresh, equal model each time."""
        raise NotImplementedError

    def same(self, a: Any, b: Any) -> bool:
        """Whether two models are interchangeable."""
        raise NotImplementedError

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "version"
        folder.mkdir()
        return folder

    def trust(self, record: FlavorRecord) -> Trust:
        """What opens this model and nothing more."""
        return Trust(pinned=frozenset(record.globals), allowed=self.trusted)

    def test_a_saved_model_loads_as_the_same(self, folder: Path) -> None:
        model = self.model()
        record = self.flavor.save(model, folder, self.options)
        assert self.same(model, self.flavor.load(folder, record, self.trust(record)))

    def test_the_record_names_the_flavor_and_an_entry_that_is_there(self, folder: Path) -> None:
        record = self.flavor.save(self.model(), folder, self.options)
        assert record.name == self.flavor.name
        assert (folder / record.entry).exists()
        assert detect.by_name(record.name).name == self.flavor.name

    def test_saving_twice_gives_the_same_bytes(self, tmp_path: Path) -> None:
        if not self.stable:
            pytest.skip(f"documented limit: {self.flavor.name} does not write the same bytes twice")
        first, second = tmp_path / "first", tmp_path / "second"
        model = self.model()
        for folder in (first, second):
            folder.mkdir()
            self.flavor.save(model, folder, self.options)
        assert _bytes_of(first) == _bytes_of(second)

    def test_audit_names_exactly_what_was_recorded(self, folder: Path) -> None:
        record = self.flavor.save(self.model(), folder, self.options)
        assert self.flavor.audit(folder, record) == record.globals
        assert bool(record.globals) is not self.data_only

    def test_without_recorded_globals_nothing_loads(self, folder: Path) -> None:
        if self.data_only:
            pytest.skip("data formats look nothing up")
        record = self.flavor.save(self.model(), folder, self.options)
        with pytest.raises(LoadRefused) as refused:
            self.flavor.load(folder, record, Trust(allowed=("*",)))
        assert set(refused.value.data["globals"]) == set(record.globals)

    def test_a_pinned_set_that_shrank_refuses_and_names_what_is_missing(self, folder: Path) -> None:
        if self.data_only:
            pytest.skip("data formats look nothing up")
        record = self.flavor.save(self.model(), folder, self.options)
        for missing in record.globals:
            fewer = Trust(pinned=frozenset(record.globals) - {missing}, allowed=(*self.trusted, "*"))
            with pytest.raises(LoadRefused) as refused:
                self.flavor.load(folder, record, fewer)
            assert refused.value.data["globals"] == [missing]

    def test_an_entry_outside_the_version_is_refused(self, folder: Path) -> None:
        record = self.flavor.save(self.model(), folder, self.options)
        for entry in ("../secret", "/etc/passwd", "missing.bin"):
            with pytest.raises(LoadRefused):
                self.flavor.load(folder, FlavorRecord(name=record.name, entry=entry), self.trust(record))


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
