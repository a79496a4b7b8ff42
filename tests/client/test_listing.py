"""Lists, filters and the best of them."""

import math
from dataclasses import replace

import pytest

from modelyard import InvalidInput, ModelNotFound
from modelyard.client import listing


def fill(registry, *values, metric="accuracy"):
    """Versions with these values of a metric; ``None`` for one without."""
    for value in values or (0.7, 0.9, 0.8):
        registry.register_model(
            None,
            "fraud",
            performance_metrics={} if value is None else {metric: value},
            tags={"v": str(value)},
        )


def numbers(found):
    return [version.number for version in found]


def test_all_are_listed_without_a_limit_whatever_the_page(registry, monkeypatch):
    from modelyard.client import listing

    monkeypatch.setattr(listing, "PAGE", 2)
    fill(registry, *range(5))
    found = registry.list_models()
    assert (numbers(found), found.more) == ([5, 4, 3, 2, 1], False)
    assert (numbers(registry.list_models(limit=3)), registry.list_models(limit=3).more) == ([5, 4, 3], True)


def test_filters_are_joined_and_may_add_a_query(registry):
    fill(registry)
    registry.promote_model("fraud#2", "staging")
    registry.set_alias("fraud", "champion", "#3")
    assert numbers(registry.list_models(name="FRAUD", stage="Staging")) == [2]
    assert numbers(registry.list_models(tags={"v": "0.8"}, where="metrics.accuracy > 0.5")) == [3]
    assert numbers(registry.list_models(where="order by metrics.accuracy")) == [1, 3, 2]
    assert numbers(registry.list_models(alias="champion")) == [3]
    assert numbers(registry.list_models(framework="", algorithm="")) == [3, 2, 1]
    assert numbers(registry.list_models(name="fraud", limit=1)) == [3]


def test_deleted_versions_are_listed_only_when_asked_for(registry):
    fill(registry)
    registry.delete_model("fraud#2")
    assert numbers(registry.list_models()) == [3, 1]
    assert numbers(registry.list_models(include_deleted=True)) == [3, 2, 1]


def test_names_and_models_are_listed_in_order(registry):
    for name in ("b", "a fraud", "c fraud"):
        registry.register_model(None, name)
    assert registry.list_names() == ["a fraud", "b", "c fraud"]
    assert [model.name for model in registry.iterate_models("FRAUD")] == ["a fraud", "c fraud"]


@pytest.mark.parametrize(
    ("metric", "values", "options", "best"),
    [
        ("accuracy", (0.7, 0.9, 0.8), {}, 2),
        ("accuracy", (0.9, 0.9), {}, 2),
        ("latency_ms", (5.0, 3.0, 4.0), {}, 2),
        ("accuracy", (0.7, 0.9), {"higher_is_better": False}, 1),
        ("accuracy", (None,), {}, None),
        ("our own", (1.0, 2.0), {"higher_is_better": True}, 2),
    ],
    ids=str,
)
def test_the_best_is_by_direction_and_the_newer_of_equals(registry, metric, values, options, best):
    fill(registry, *values, metric=metric)
    found = registry.get_best_model("fraud", metric, **options)
    assert (found and registry.get_model(found).number) == best


def test_what_is_not_a_number_is_never_the_best(registry):
    """Stores hold such values from before they were refused."""
    fill(registry, 0.1, 0.2)
    good, other = registry.list_models(name="fraud")
    nan = replace(other, metrics=(replace(other.metrics[0], value=math.nan),))
    assert listing.best([good, nan], "accuracy", None) == good.model_id
    assert listing.best([nan], "accuracy", None) is None


def test_an_unknown_direction_is_asked_for(registry):
    fill(registry, 1.0, metric="our own")
    with pytest.raises(InvalidInput, match="higher_is_better"):
        registry.get_best_model("fraud", "our own")
    registry.update_model_metrics("fraud", {"our own": {"value": 2.0, "higher_is_better": False}})
    assert registry.get_best_model("fraud", "our own")


def test_the_best_of_a_stage_and_of_nothing(registry):
    fill(registry)
    registry.promote_model("fraud#1", "staging")
    assert registry.get_model(registry.get_best_model("fraud", "accuracy", stage="staging")).number == 1
    with pytest.raises(ModelNotFound):
        registry.get_best_model("nobody", "accuracy")


def test_the_latest_may_be_asked_for_by_stage(registry):
    fill(registry)
    registry.promote_model("fraud#1", "production")
    assert registry.get_model(registry.get_latest_version("fraud")).number == 3
    assert registry.get_model(registry.get_latest_version("fraud", stage="production")).number == 1
    with pytest.raises(LookupError):
        registry.get_latest_version("fraud", stage="testing")
