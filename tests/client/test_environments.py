"""What a version was made with, held against this process before anything of it is loaded."""

import re
import warnings
from importlib.metadata import version as installed
from pathlib import Path

import pytest

from modelyard import EnvironmentMismatch, LoadRefused, NotAllowed
from modelyard.client import pack

linear = pytest.importorskip("sklearn.linear_model")


@pytest.fixture(scope="module")
def model():
    return linear.LogisticRegression().fit([[0.0], [1.0]], [0, 1])


def made_with(monkeypatch, **facts):
    """Versions registered from now on were made elsewhere."""
    real = pack.environment.capture
    monkeypatch.setattr(pack.environment, "capture", lambda *given: {**real(*given), **facts})


@pytest.fixture
def elsewhere(registry, model, monkeypatch):
    """``fraud:0.1.0``, made with a scikit-learn of long ago and something that nobody has."""
    made_with(
        monkeypatch, packages={"scikit-learn": "0.9.1", "no-such-thing": "1.0", "numpy": installed("numpy")}
    )
    registry.register_model(model, "fraud")
    return registry


def test_a_version_records_what_it_needs_and_what_that_needs(registry, model):
    made = registry.get_model(registry.register_model(model, "fraud")).environment
    assert made["packages"] == {name: installed(name) for name in ("joblib", "numpy", "scikit-learn")}
    assert made["dependencies"]["scipy"] == installed("scipy")
    assert not made["packages"].keys() & made["dependencies"].keys()
    report = registry.environment("fraud")
    assert (report.declared, report.differences) == (made, ())
    assert f"scikit-learn=={installed('scikit-learn')}\n" in report.to_requirements()


def test_loading_where_it_was_made_warns_of_nothing(registry, model):
    registry.register_model(model, "fraud")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.load_model("fraud")


def test_a_mismatch_is_told_before_loading_and_the_model_loads(elsewhere):
    with pytest.warns(EnvironmentMismatch, match=r"fraud:0\.1\.0 was made in another environment") as told:
        assert list(elsewhere.load_model("fraud").predict([[0.0]])) == [0]
    (message,) = told
    assert "no-such-thing: made with 1.0, here not installed" in str(message.message)
    assert f"scikit-learn: made with 0.9.1, here {installed('scikit-learn')}" in str(message.message)
    assert "numpy" not in str(message.message)
    assert message.filename == __file__


def test_it_is_told_before_anything_is_read(elsewhere):
    Path(elsewhere.get_model("fraud").artifact_path).unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(EnvironmentMismatch):
            elsewhere.load_model("fraud")


def test_a_policy_may_refuse_or_be_silent(elsewhere):
    elsewhere.set_policy("fraud", {"environment": "refuse"})
    with pytest.raises(LoadRefused, match="the model's policy refuses that") as refused:
        elsewhere.load_model("fraud")
    assert refused.value.data == {"check": "environment"}
    assert len(refused.value.reasons) == 2
    elsewhere.set_policy("fraud", {"environment": "ignore"})
    assert elsewhere.load_model("fraud")


def test_a_minor_difference_is_in_the_report_and_nowhere_else(registry, model, monkeypatch):
    release = [int(part) for part in re.findall(r"\d+", installed("scikit-learn"))[:2]]
    made_with(monkeypatch, packages={"scikit-learn": f"{release[0]}.{release[1] + 1}.0"})
    registry.register_model(model, "fraud")
    assert registry.load_model("fraud")
    (mismatch,) = registry.environment("fraud").differences
    assert (mismatch.subject, mismatch.level) == ("scikit-learn", "minor")


def test_files_that_are_kept_as_they_are_need_no_environment(registry, tmp_path, monkeypatch):
    made_with(monkeypatch, python="2.7.18")
    (tmp_path / "notes.txt").write_text("text")
    registry.register_model(tmp_path / "notes.txt", "notes")
    assert registry.load_model("notes").read_text() == "text"
    assert registry.environment("notes").severe


def test_hostile_facts_are_told_on_one_line_and_break_nothing(registry, model, monkeypatch):
    made_with(monkeypatch, packages={"../../etc/passwd": "1.0", "a\nb": "\x1b[2J", "": "1.0", "ü": "1"})
    registry.register_model(model, "fraud")
    with pytest.warns(EnvironmentMismatch) as told:
        assert registry.load_model("fraud")
    assert str(told[0].message).isprintable()


def test_a_rollback_says_what_is_different_and_obeys_the_policy(registry, model, monkeypatch):
    another = linear.LogisticRegression(C=2.0).fit([[0.0], [1.0]], [0, 1])
    with monkeypatch.context() as patched:
        made_with(patched, packages={"scikit-learn": "0.9.1"})
        registry.register_model(model, "fraud", alias="champion")
    registry.set_alias("fraud", "champion", registry.register_model(another, "fraud"))
    with pytest.warns(EnvironmentMismatch):
        plan = registry.rollback_model("fraud@champion", drill=True)
    assert f"scikit-learn: 0.9.1 instead of {installed('scikit-learn')}" in plan.environment
    registry.set_policy("fraud", {"environment": "refuse"})
    with pytest.raises(NotAllowed) as refused:
        registry.rollback_model("fraud@champion")
    assert "the model's policy refuses that" in str(refused.value)
    assert registry.get_model("fraud@champion").number == 2
