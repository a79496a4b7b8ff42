"""Wrong kinds of arguments: refused by name before anything is done, whichever method they are given to."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from modelyard import InvalidInput
from modelyard.client import arguments

WRONG = {
    "register tags": ("tags", lambda r: r.register_model(None, "fraud", tags=["a"])),
    "register hyperparams": ("hyperparams", lambda r: r.register_model(None, "fraud", hyperparams=["a"])),
    "register artifacts": ("artifacts", lambda r: r.register_model(None, "fraud", artifacts=["a"])),
    "register artifact": ("artifacts", lambda r: r.register_model(None, "fraud", artifacts={"a": None})),
    "register lineage": ("data_lineage", lambda r: r.register_model(None, "fraud", data_lineage="s3://x")),
    "register signature": ("signature", lambda r: r.register_model(None, "fraud", signature="x")),
    "register override": ("override_reason", lambda r: r.register_model(None, "fraud", override_reason=5)),
    "register description": ("description", lambda r: r.register_model(None, "fraud", description=None)),
    "register follow": ("follow_symlinks", lambda r: r.register_model(None, "fraud", follow_symlinks="no")),
    "annotate tags": ("tags", lambda r: r.annotate("fraud", tags=["a"])),
    "annotate hold": ("legal_hold", lambda r: r.annotate("fraud", legal_hold=5)),
    "describe": ("description", lambda r: r.describe("fraud", 5)),
    "as_of text": ("at", lambda r: r.as_of("fraud", "2026-01-01")),
    "as_of None": ("at", lambda r: r.as_of("fraud", None)),
    "as_of date": ("at", lambda r: r.as_of("fraud", date(2026, 1, 1))),
    "list limit": ("limit", lambda r: r.list_models(limit="5")),
    "list tags": ("tags", lambda r: r.list_models(tags="a")),
    "list names": ("contains", lambda r: r.list_names(3)),
    "promote expected": ("expected", lambda r: r.promote_model("fraud", "staging", expected=3)),
    "promote reason": ("reason", lambda r: r.promote_model("fraud", "staging", reason=5)),
    "promote dry": ("dry_run", lambda r: r.promote_model("fraud", "staging", dry_run="no")),
    "alias ref": ("ref", lambda r: r.set_alias("fraud", "champion", None)),
    "cleanup text": ("older_than_days", lambda r: r.cleanup("30")),
    "cleanup past": ("older_than_days", lambda r: r.cleanup(-1)),
    "cleanup forever": ("older_than_days", lambda r: r.cleanup(10**12)),
    "gc nan": ("grace_days", lambda r: r.gc(grace_days=math.nan)),
    "gc forever": ("grace_days", lambda r: r.gc(grace_days=1e9)),
    "gc text": ("grace_days", lambda r: r.gc(grace_days="7")),
    "gc dry": ("dry_run", lambda r: r.gc(dry_run=0)),
    "get": ("model_id", lambda r: r.get_model(None)),
    "download": ("target", lambda r: r.download("fraud", None)),
    "download empty": ("target", lambda r: r.download("fraud", "")),
    "load None": ("trust", lambda r: r.load_model("fraud", trust=None)),
    "load text": ("trust", lambda r: r.load_model("fraud", trust="my.*")),
    "load star": ("trust", lambda r: r.load_model("fraud", trust=["*"])),
    "load bare": ("trust", lambda r: r.load_model("fraud", trust=["my_pkg"])),
    "load part": ("trust", lambda r: r.load_model("fraud", trust=["my_*.x"])),
    "load number": ("trust", lambda r: r.load_model("fraud", trust=[5])),
    "rollback star": ("trust", lambda r: r.rollback_model("fraud", trust=["*"])),
    "compare text": ("metrics_to_compare", lambda r: r.compare_models("fraud", "fraud", "accuracy")),
    "compare number": ("metrics_to_compare", lambda r: r.compare_models("fraud", "fraud", [1])),
    "export text": ("names", lambda r: r.export_registry("out.json", names="fraud")),
    "export number": ("names", lambda r: r.export_registry("out.json", names=[1])),
    "policy": ("policy", lambda r: r.set_policy("fraud", ["gates"])),
    "best": ("higher_is_better", lambda r: r.get_best_model("fraud", "accuracy", higher_is_better="yes")),
}


@pytest.fixture
def fraud(registry):
    registry.register_model(None, "fraud", performance_metrics={"accuracy": 0.9})
    return registry


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_kind_of_argument_is_named_and_changes_nothing(fraud, case):
    argument, call = WRONG[case]
    before = fraud.history("fraud"), fraud.get_registry_stats()
    with pytest.raises(InvalidInput, match=f"^{argument}: expected .*found"):
        call(fraud)
    assert (fraud.history("fraud"), fraud.get_registry_stats()) == before


@pytest.mark.parametrize("change", [{"bogus": 1}, {"whole_model": True}, {"ref": "fraud"}])
def test_annotate_takes_only_what_it_documents_and_writes_nothing_else(fraud, change):
    before = fraud.history("fraud")
    with pytest.raises(TypeError, match="unexpected keyword"):
        fraud.annotate("fraud", description="new", **change)
    assert fraud.history("fraud") == before


def test_a_tag_may_have_any_name(fraud):
    assert fraud.tag("fraud", model_id="x", tags="y").tags == {"model_id": "x", "tags": "y"}


def test_no_reason_is_an_empty_reason_everywhere_and_the_history_still_holds(fraud):
    fraud.promote_model("fraud", "staging", reason=None)
    fraud.set_alias("fraud", "champion", "0.1.0", reason=None)
    fraud.protect_alias("fraud", "champion", False, reason=None)
    fraud.delete_alias("fraud", "champion", reason=None)
    fraud.set_policy("fraud", {}, reason=None)
    fraud.archive_model("fraud", reason=None)
    fraud.delete_model("fraud#1", reason=None)
    assert {event.reason for event in fraud.history("fraud")} == {""}
    assert fraud.verify_audit().ok


def test_an_export_of_no_names_holds_nothing_and_without_names_all(fraud, tmp_path):
    assert fraud.import_registry(fraud.export_registry(tmp_path / "none.json", names=[])).models == {}
    assert b'"fraud"' not in (tmp_path / "none.json").read_bytes()
    fraud.export_registry(tmp_path / "all.json")
    assert b'"fraud"' in (tmp_path / "all.json").read_bytes()


def test_a_time_without_zone_is_local_and_one_out_of_every_calendar_is_refused(fraud):
    moment = datetime.now(UTC)
    assert arguments.instant(moment.astimezone().replace(tzinfo=None)) == moment
    west = timezone(timedelta(hours=-14))
    with pytest.raises(InvalidInput, match=r"^at: expected a moment"):
        fraud.as_of("fraud", datetime(9999, 12, 31, 23, tzinfo=west))
    assert fraud.as_of("fraud", datetime(2, 1, 1, tzinfo=west)) is None


def test_numpy_scalars_are_python_numbers_once_they_are_kept(fraud):
    np = pytest.importorskip("numpy")
    found = {"a": np.int64(3), "b": [np.float32(0.5), {"c": np.bool_(True)}], "d": np.str_("x")}
    wanted = {"a": 3, "b": [0.5, {"c": True}], "d": "x"}
    version = fraud.get_model(fraud.register_model(None, "fraud", hyperparams=found, attributes=found))
    assert (dict(version.hyperparams), dict(version.attributes)) == (wanted, wanted)
    assert dict(fraud.annotate("fraud", attributes={"e": np.int8(4)}).attributes) == wanted | {"e": 4}
    assert type(version.hyperparams["a"]) is int
    with pytest.raises(InvalidInput, match="hyperparams"):
        fraud.register_model(None, "fraud", hyperparams={"a": np.arange(3)})


def test_what_holds_itself_is_refused_and_not_followed_for_ever(fraud):
    endless = []
    endless.append(endless)
    with pytest.raises(InvalidInput, match="hyperparams"):
        fraud.register_model(None, "fraud", hyperparams={"a": endless})
