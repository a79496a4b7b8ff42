"""A registry as one OCI image layout."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.domain import layout, manifest
from modelyard.domain.canonical import sha256
from modelyard.domain.errors import InvalidInput
from modelyard.domain.layout import Address, Contents
from modelyard.domain.policy import DEFAULT
from modelyard.domain.records import FileEntry, Model, ModelVersion

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DIGESTS = st.binary(max_size=8).map(sha256)
BLOBS = st.dictionaries(DIGESTS, st.integers(0, 2**53 - 1), max_size=5)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=9).filter(str.isprintable)
MODELS = st.dictionaries(NAMES, st.tuples(st.integers(0, 2**40), st.text("0123456789abcdef", max_size=3)))


def version(**facts: object) -> ModelVersion:
    made = ModelVersion(
        **{  # type: ignore[arg-type]
            "model_id": "01j9zzzzzzzzzzzzzzzzzzzzzz",
            "name": "fraud",
            "number": 1,
            "version": "1.0.0",
            "created_at": NOW,
            "created_by": "ann",
            "files": (FileEntry(path="m", size=3, digest=sha256(b"one")),),
            **facts,
        }
    )
    return replace(made, digest=manifest.build(made).digest)


def chapter(name: str, slug: str = "x") -> layout.Chapter:
    address = Address(digest=sha256(name.encode()), size=1)
    return layout.Chapter(model=name, slug=slug, sequence=1, head="h", records=address)


@given(st.builds(Contents, base=st.just("") | DIGESTS, carried=BLOBS, covered=BLOBS, models=MODELS))
def test_a_table_of_contents_is_read_as_it_was_written(contents: Contents) -> None:
    made = layout.frame(contents, (), ())
    assert layout.parse_contents(made.contents) == contents
    whole = layout.first_manifest(made.index)
    assert whole == Address(digest=sha256(made.manifest), size=len(made.manifest))
    table, chapters = layout.addresses(made.manifest)
    assert table == Address(digest=sha256(made.contents), size=len(made.contents))
    assert chapters == ()


def test_chapters_are_in_the_order_of_their_names_whatever_the_order_given() -> None:
    chapters = [chapter(name) for name in ("b", "a", "")]
    one, other = (layout.frame(Contents(), given, ()) for given in (chapters, chapters[::-1]))
    assert one == other
    assert [a.digest for a in layout.addresses(one.manifest)[1]] == [sha256(b""), sha256(b"a"), sha256(b"b")]


def names_in(index: bytes) -> list[str | None]:
    return [
        d.get("annotations", {}).get("org.opencontainers.image.ref.name")
        for d in json.loads(index)["manifests"][1:]
    ]


@pytest.mark.parametrize(
    ("facts", "slug", "name"),
    [
        ({}, "fraud", "fraud/1.0.0"),
        ({"version": "1.0.0-rc.1+b2"}, "team/fraud", "team/fraud/1.0.0-rc.1+b2"),
        ({"version": "a--b"}, "fraud", "fraud/a--b"),
        ({"version": "a..b"}, "fraud", None),
        ({"version": "a-"}, "fraud", None),
        ({"deleted_at": NOW}, "fraud", None),
        ({}, "", None),
    ],
)
def test_a_version_is_named_where_the_grammar_of_reference_names_allows_it(
    facts: dict[str, object], slug: str, name: str | None
) -> None:
    made = version(**facts)
    contents = Contents(carried={made.digest: 1})
    assert names_in(layout.frame(contents, [chapter("fraud", slug)], [made]).index) == [name]


def test_only_versions_whose_manifest_is_inside_are_listed() -> None:
    collected = version(number=2, collected_at=NOW)
    listed = layout.frame(Contents(carried={collected.digest: 1}), (), [version(), collected]).index
    assert names_in(listed) == []


def test_a_version_brings_its_documents_until_it_is_collected() -> None:
    made, bare = version(), version(files=())
    assert layout.frozen(made).keys() >= {made.digest}
    assert layout.files(made) == {sha256(b"one"): 3}
    assert (
        layout.frozen(bare).keys() - {sha256(b"{}")} == layout.frozen(bare).keys() - layout.EMPTY_BLOB.keys()
    )
    assert layout.frozen(bare)[sha256(b"{}")] == b"{}"
    assert (
        layout.frozen(replace(made, collected_at=NOW)),
        layout.files(replace(made, collected_at=NOW)),
    ) == ({}, {})


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"7", b"{}", b"\xff", b"[" * 100_000], ids=lambda t: repr(t)[:9]
)
def test_what_is_no_document_is_refused_by_name(text: bytes) -> None:
    for read, what in (
        (layout.first_manifest, "index.json"),
        (layout.addresses, "the bundle manifest"),
        (layout.parse_contents, "the table of contents"),
    ):
        with pytest.raises(InvalidInput, match=f"{what} is not what a bundle has"):
            read(text)


@pytest.mark.parametrize("size", [-1, 2**53, 1.0, True, "1", None])
def test_what_is_no_size_is_refused(size: object) -> None:
    index = json.dumps({"manifests": [{"digest": sha256(b""), "size": size}]}).encode()
    with pytest.raises(InvalidInput, match="no number of bytes"):
        layout.first_manifest(index)


def test_another_format_is_named() -> None:
    with pytest.raises(InvalidInput, match="format 9; this build reads format 1"):
        layout.parse_contents(b'{"format": 9}')


def test_a_chapter_says_whose_it_is_and_how_far_it_goes() -> None:
    model = Model(
        name="Fraud",
        key="fraud",
        slug="f",
        created_at=NOW,
        created_by="ann",
        policy=DEFAULT,
        sequence=3,
        head="h",
    )
    digest = sha256(b"")
    made = layout.chapter_of(model, digest, 7)
    assert (made.model, made.slug, made.sequence, made.head) == ("Fraud", "f", 3, "h")
    assert made.records == Address(digest=digest, size=7)
    assert layout.chapter_of(None, digest, 7) == replace(made, model="", slug="", sequence=0, head="")


def test_blobs_are_where_a_layout_has_them() -> None:
    assert layout.blob_path("sha256:" + "ab" * 32) == "blobs/sha256/" + "ab" * 32
