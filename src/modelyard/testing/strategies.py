"""Hypothesis strategies for names, references, records and queries.

Values come from small pools as often as from everything that is legal, so that drawn queries find drawn versions and
drawn names collide. Whatever is drawn here is valid: ``domain`` accepts it unchanged. Every strategy is built once:
building (character tables above all) costs more than drawing.
"""

from __future__ import annotations

import string
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from hypothesis import assume
from hypothesis import strategies as st

from modelyard.domain import query
from modelyard.domain.errors import InvalidInput
from modelyard.domain.names import (
    STAGES,
    check_alias,
    check_key,
    check_metric_name,
    check_model_name,
    check_path,
)
from modelyard.domain.names import fold as fold_name
from modelyard.domain.query import FIELDS, Compare, Exists, Expr, Field, In, Not, Order, Search
from modelyard.domain.records import (
    Actor,
    Alias,
    Blob,
    Check,
    FileEntry,
    LineageEdge,
    Metric,
    Model,
    ModelStage,
    ModelVersion,
    ScanReport,
    Withdrawal,
)
from modelyard.domain.refs import Ref
from modelyard.domain.slugs import make_slug

BASE32: Final = "0123456789abcdefghjkmnpqrstvwxyz"
ALNUM: Final = string.ascii_letters + string.digits
SAFE_INTEGER: Final = 2**53
"""Whole numbers beyond this are not the same in every JSON reader."""

WORDS: Final = ("fraud", "Fraud", "straße", "STRASSE", "risk", "a%b_c", "l'été", "模型", "İstanbul", "x", "")
KEYS: Final = ("accuracy", "auc", "C", "team", "val accuracy", "a.b", "o'hara", "quo`te", "$x", 'dq"')


def _valid(strategy: st.SearchStrategy[str], check: Any) -> st.SearchStrategy[str]:
    """What ``check`` accepts, in the form in which it returns it."""

    def checked(text: str) -> str:
        try:
            return str(check(text))
        except InvalidInput:
            assume(False)
            raise

    return strategy.map(checked)


# --- text and names ---


@cache
def storable_text(max_size: int = 40) -> st.SearchStrategy[str]:
    """Any text that every store can hold: no NUL, no half surrogate pairs."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    return st.sampled_from(WORDS) | st.text(characters, max_size=max_size)


@cache
def ids() -> st.SearchStrategy[str]:
    """Lower-case ULIDs."""
    return st.builds(str.__add__, st.sampled_from("01234567"), st.text(BASE32, min_size=25, max_size=25))


@cache
def digests() -> st.SearchStrategy[str]:
    """``sha256:`` and 64 hex digits, few enough to collide."""
    return st.integers(0, 2**256 - 1).map(lambda n: f"sha256:{n:064x}")


@cache
def model_names() -> st.SearchStrategy[str]:
    """Names of models in NFC, some with a namespace."""
    letters = st.characters(categories=["L", "M", "Nd"], include_characters=" ._-()+&,'")
    free = st.text(letters, min_size=1, max_size=12)
    part = st.sampled_from(("fraud", "Fraud", "churn v2", "sha256", "models", "R&D (EU)", "模型")) | free
    return _valid(part | st.builds("{}/{}".format, part, part), check_model_name)


@cache
def labels() -> st.SearchStrategy[str]:
    """Labels as users write them: semantic versions with and without ``v`` or a pre-release, and free ones."""
    numbers = st.integers(0, 12)
    release = st.builds("{}.{}.{}".format, numbers, numbers, numbers)
    pre = st.builds("{}-{}".format, release, st.sampled_from(("alpha", "rc.1", "rc.2", "rc.10", "0", "b-2")))
    free = st.builds(str.__add__, st.sampled_from(ALNUM), st.text(ALNUM + "._+-", max_size=8))
    return (
        release
        | release.map("v{}".format)
        | pre
        | free
        | st.sampled_from(("alpha-1", "1.4", "1.x", "latest"))
    )


@cache
def aliases() -> st.SearchStrategy[str]:
    """Aliases; no reserved words."""
    free = st.builds(str.__add__, st.sampled_from(string.ascii_letters), st.text(ALNUM + "._-", max_size=8))
    return _valid(st.sampled_from(("champion", "challenger", "prod-eu")) | free, check_alias)


@cache
def keys() -> st.SearchStrategy[str]:
    """Names of tags, attributes, checks and parameters, in NFC."""
    printable = st.characters(exclude_categories=["C", "Z"], include_characters=" ")
    return _valid(st.sampled_from(KEYS) | st.text(printable, min_size=1, max_size=8), check_key)


@cache
def metric_names() -> st.SearchStrategy[str]:
    """Names of metrics, in NFC."""
    return _valid(keys(), check_metric_name)


@cache
def file_paths() -> st.SearchStrategy[str]:
    """Paths of files inside a version."""
    component = st.text(
        st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\:%"), min_size=1, max_size=8
    )
    return _valid(st.lists(component, min_size=1, max_size=3).map("/".join), check_path)


@cache
def moments() -> st.SearchStrategy[datetime]:
    """Aware times in UTC with microseconds, around the present."""
    return st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@cache
def refs() -> st.SearchStrategy[Ref]:
    """References of every kind, as ``parse`` returns them."""
    models = model_names()
    pointers = aliases() | st.sampled_from(sorted(STAGES))
    ranges = st.sampled_from(("^1", "~1.4", ">=1.2,<2", "<2.0.0-rc.1", "^v1.2.3"))
    return st.one_of(
        ids().map(lambda value: Ref("id", value=value)),
        models.map(lambda model: Ref("latest", model)),
        st.builds(Ref, st.just("label"), models, labels()),
        st.builds(Ref, st.just("range"), models, ranges),
        st.builds(Ref, st.just("number"), models, number=st.integers(1, 10**18 - 1)),
        st.builds(Ref, st.just("pointer"), models, pointers, back=st.integers(0, 999_999)),
        st.builds(Ref, st.just("pointer"), models, pointers, at=moments()),
        digests().map(lambda value: Ref("digest", value=value)),
    )


# --- JSON ---


@cache
def numbers() -> st.SearchStrategy[int | float]:
    """Finite numbers that mean the same in every JSON reader; often small, so that they are equal at times."""
    exact = st.integers(-SAFE_INTEGER, SAFE_INTEGER)
    return (
        st.sampled_from((0, 1, 1.0, 0.5, -1, 0.9, 10))
        | exact
        | st.floats(allow_nan=False, allow_infinity=False)
    )


@cache
def scalars() -> st.SearchStrategy[Any]:
    """JSON values without parts."""
    return st.none() | st.booleans() | numbers() | storable_text()


@cache
def json_values() -> st.SearchStrategy[Any]:
    """Any JSON, a few levels deep."""
    deeper = lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys(), inner, max_size=3)  # noqa: E731
    return st.recursive(scalars(), deeper, max_leaves=5)


@cache
def json_objects(max_size: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects whose names follow the rule for keys."""
    return st.dictionaries(keys(), json_values(), max_size=max_size)


# --- records ---


@cache
def actors() -> st.SearchStrategy[Actor]:
    """Who acts."""
    return st.builds(
        Actor, name=st.sampled_from(("ada", "grace", "模")), kind=st.sampled_from(("user", "service"))
    )


@cache
def metrics() -> st.SearchStrategy[Metric]:
    """Measured numbers; some are NaN."""
    return st.builds(
        Metric,
        name=metric_names(),
        value=numbers().map(float) | st.just(float("nan")),
        at=moments(),
        by=st.sampled_from(("", "ada")),
        n=st.none() | st.integers(1, 10**6),
        dataset=st.sampled_from(("", "holdout")),
        split=st.sampled_from(("", "test", "validation")),
    )


@cache
def checks() -> st.SearchStrategy[Check]:
    """Recorded facts."""
    return st.builds(Check, name=keys(), passed=st.booleans(), at=moments(), by=st.just("ci"))


@cache
def file_entries() -> st.SearchStrategy[FileEntry]:
    """Single files of a manifest."""
    return st.builds(
        FileEntry,
        path=file_paths(),
        size=st.integers(0, 2**40),
        digest=digests(),
        role=st.sampled_from(("model", "artifact")),
    )


@cache
def files(max_size: int = 3) -> st.SearchStrategy[tuple[FileEntry, ...]]:
    """Files that can live in one version."""
    unique = st.lists(
        file_entries(), max_size=max_size, unique_by=lambda entry: fold_name(entry.path.split("/")[0])
    )
    return unique.map(tuple)


@cache
def scans() -> st.SearchStrategy[ScanReport]:
    """Verdicts on single blobs."""
    return st.builds(ScanReport, verdict=st.sampled_from(FIELDS["scan"].choices))


@cache
def edges() -> st.SearchStrategy[LineageEdge]:
    """Lineage links."""
    return st.builds(
        LineageEdge,
        kind=st.sampled_from(("parent", "dataset", "code", "used_by")),
        target=st.sampled_from(("s3://data/train.parquet", "fraud-2026")) | ids(),
    )


@cache
def _facts() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "model_id": ids(),
            "name": model_names(),
            "number": st.integers(1, 50),
            "version": labels(),
            "created_at": moments(),
            "created_by": st.sampled_from(("ada", "grace", "模")),
            "files": files(),
            "framework": st.sampled_from(("", "scikit-learn", "xgboost")),
            "algorithm": st.sampled_from(("", "LogisticRegression")),
            "hyperparams": json_objects(),
            "lineage": st.lists(edges(), max_size=2).map(tuple),
            "links": st.lists(edges(), max_size=2).map(tuple),
            "withdrawn": st.none() | st.builds(Withdrawal, reason=storable_text(), at=moments()),
            "parent": st.none() | ids(),
            "digest": st.just("") | digests(),
            "stage": st.sampled_from(list(ModelStage)),
            "description": storable_text(),
            "tags": st.dictionaries(keys(), storable_text(12), max_size=2),
            "attributes": json_objects(),
            "metrics": st.lists(metrics(), max_size=3).map(tuple),
            "checks": st.lists(checks(), max_size=2).map(
                lambda drawn: {check.name: check for check in drawn}
            ),
            "aliases": st.lists(aliases(), max_size=2, unique=True).map(tuple),
            "scans": st.dictionaries(digests(), scans(), max_size=2),
            "updated_at": st.none() | moments(),
        }
    )


def versions(**fixed: Any) -> st.SearchStrategy[ModelVersion]:
    """Versions with everything a query can ask about; ``fixed`` sets attributes outright."""
    return _facts().map(lambda facts: ModelVersion(**{**facts, **fixed}))


@st.composite
def models(draw: st.DrawFn, /, **fixed: Any) -> Model:
    """Models with the default policy and aliases that point at numbers given out."""
    from modelyard.domain.policy import DEFAULT

    name, last, moment = draw(model_names()), draw(st.integers(1, 50)), draw(moments())
    pointers = st.builds(
        Alias, name=aliases(), number=st.integers(1, last), model_id=ids(), at=st.just(moment)
    )
    facts: dict[str, Any] = {
        "name": name,
        "key": fold_name(name),
        "slug": make_slug(name, lambda slug: False),
        "created_at": moment,
        "created_by": draw(actors()).name,
        "description": draw(storable_text()),
        "tags": draw(st.dictionaries(keys(), storable_text(12), max_size=2)),
        "policy": DEFAULT,
        "aliases": {alias.name: alias for alias in draw(st.lists(pointers, max_size=2))},
        "last_number": last,
    }
    return Model(**{**facts, **fixed})


@cache
def blobs() -> st.SearchStrategy[Blob]:
    """What is known of stored bytes."""
    return st.builds(Blob, digest=digests(), size=st.integers(0, 2**40), touched_at=moments())


# --- queries ---


@cache
def fields(*, ordered: bool = False) -> st.SearchStrategy[Field]:
    """Fields that can be asked about; with ``ordered`` only those that versions can be sorted by."""
    roots = st.sampled_from([info for info in FIELDS.values() if not (ordered and info.multiple)])

    @cache
    def complete(info: query.FieldInfo) -> st.SearchStrategy[Field]:
        sizes = {"none": (0, 0), "one": (1, 1), "many": (1, 2)}
        low, high = sizes[info.parts]
        return st.lists(keys(), min_size=low, max_size=high).map(lambda path: Field(info.name, tuple(path)))

    return roots.flatmap(complete)


@cache
def _values(kind: str, choices: tuple[str, ...]) -> st.SearchStrategy[Any]:
    match kind:
        case "number":
            return numbers()
        case "time":
            return moments()
        case "choice":
            return st.sampled_from(choices)
        case "boolean":
            return st.booleans()
        case "label":
            return labels()
        case "name":
            return model_names() | storable_text(6)
        case "dynamic":
            return st.booleans() | numbers() | storable_text(6)
    return st.sampled_from(("scikit-learn", "champion", "s3://data/train.parquet", "ada")) | storable_text(6)


@st.composite
def conditions(draw: st.DrawFn) -> Expr:
    """Single conditions of all four kinds, with values of the field's type."""
    shape = draw(st.sampled_from(("compare", "compare", "in", "exists", "text")))
    if shape == "text":
        return query.Text(draw(storable_text(6).filter(bool)))
    field = draw(fields())
    info = FIELDS[field.root]
    values = _values(info.kind, info.choices)
    if shape == "exists":
        return Exists(field)
    if shape == "in":
        return In(field, tuple(draw(st.lists(values, min_size=1, max_size=3))))
    op = draw(st.sampled_from(query.operators(field)))
    if op == "~":
        return Compare(field, op, draw(storable_text(4)))
    if info.kind == "label" and op not in ("=", "!="):
        values = labels().filter(lambda label: query.label_bounds(label) is not None)
    return Compare(field, op, draw(values))


@cache
def exprs(max_leaves: int = 6) -> st.SearchStrategy[Expr]:
    """Whole expressions, as ``parse`` returns them."""

    def grown(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return inner.map(Not) | several.map(query.And) | several.map(query.Or)

    return st.recursive(conditions(), grown, max_leaves=max_leaves)


@cache
def orders(max_size: int = 3) -> st.SearchStrategy[tuple[Order, ...]]:
    """Sort keys."""
    return st.lists(st.builds(Order, fields(ordered=True), st.booleans()), max_size=max_size).map(tuple)


@cache
def searches() -> st.SearchStrategy[Search]:
    """Whole queries, as ``parse`` returns them."""
    return st.builds(Search, st.none() | exprs(), orders())
