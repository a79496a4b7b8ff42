"""The whole life of a model, with no server: run it with ``make demo`` and read along.

Every step shows the Python that is executed (the text shown is the text run) and the command that does the same.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

from modelyard import ModelyardError

PLACE = Path(os.environ.get("MODELYARD_DEMO", "demo_registry"))
BOLD, DIM, GREEN, RED, CYAN, PLAIN = (
    ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[36m", "\033[0m") if sys.stdout.isatty() else ("",) * 6
)
scope: dict[str, Any] = {}
number = 0


def step(title: str, python: str, shell: str = "", *, refused: bool = False) -> None:
    """Show and run one step; with ``refused`` the registry is expected to say no, and its words are shown."""
    global number  # noqa: PLW0603 - a script's page counter
    number += 1
    print(f"\n{BOLD}{number}. {title}{PLAIN}")
    source = textwrap.dedent(python).strip()
    for line in source.splitlines():
        print(f"   {CYAN}>>> {line}{PLAIN}" if not line.startswith(" ") else f"   {CYAN}... {line}{PLAIN}")
    for line in textwrap.dedent(shell).strip().splitlines():
        print(f"   {DIM}$ {line}{PLAIN}")
    try:
        exec(compile(source, "<demo>", "exec"), scope)  # noqa: S102 - our own text, shown above
    except ModelyardError as error:
        if not refused:
            raise
        print(f"   {RED}refused: {error.detail}{PLAIN}")
        for reason in error.reasons:
            print(f"   {RED}  - {reason}{PLAIN}")
        return
    if refused:
        raise SystemExit("the registry should have refused this step")


def say(text: object) -> None:
    """An answer, set apart from the code."""
    for line in str(text).splitlines():
        print(f"   {GREEN}{line}{PLAIN}")


def main() -> None:
    """Run all steps in a fresh folder."""
    started = time.monotonic()
    if PLACE.exists():
        shutil.rmtree(PLACE)
    copy = PLACE.with_name(PLACE.name + "_damaged_copy")
    shutil.rmtree(copy, ignore_errors=True)
    scope.update(say=say, PLACE=str(PLACE), COPY=str(copy), shutil=shutil)
    registry = f"--registry {PLACE}"

    step(
        "Train three models on scikit-learn's breast-cancer data, and measure each on held-out rows",
        """
        from sklearn.datasets import load_breast_cancer
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.metrics import accuracy_score, recall_score
        from sklearn.model_selection import train_test_split
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.tree import DecisionTreeClassifier
        X, y = load_breast_cancer(return_X_y=True)
        X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=42, stratify=y)
        forest = RandomForestClassifier(n_estimators=100, random_state=0).fit(X_train, y_train)
        stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X_train, y_train)
        scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X_train, y_train)
        def measure(model):
            guess = model.predict(X_test)
            known = {"n": len(y_test), "dataset": "breast-cancer", "split": "test"}
            return {"accuracy": {"value": accuracy_score(y_test, guess), **known},
                    "recall": {"value": recall_score(y_test, guess, pos_label=0), **known}}
        """,
    )
    step(
        "Register them: bytes hashed, scanned, synced to disk, and one event each, in a folder",
        """
        from modelyard import ModelRegistry, ModelStage
        registry = ModelRegistry(PLACE)
        for model, note in [(forest, "100 trees"), (stump, "one split only"), (scaled, "scaled, linear")]:
            model_id = registry.register_model(model, "breast-cancer", description=note,
                                               performance_metrics=measure(model), tags={"team": "oncology"})
            v = registry.get_model(model_id)
            say(f"{v.name}:{v.version}  accuracy {v.performance_metrics['accuracy']:.3f}  scan {v.scan}  {v.digest[:19]}...")
        """,
        f"modelyard {registry} register --model-path model.joblib --name breast-cancer --metrics '{{\"accuracy\": 0.94}}'",
    )
    step(
        "Give the model its own bar: who promotes need not be who sets it",
        """
        policy = {"gates": {"production": {"min_accuracy": 0.93, "min_recall": 0.90, "no_worse_accuracy": 0.01}}}
        registry.set_policy("breast-cancer", policy, reason="agreed with the clinic")
        """,
        f"modelyard {registry} policy set breast-cancer policy.json",
    )
    step(
        "Promote the forest through the gate",
        """
        done = registry.promote_model("breast-cancer:0.1.0", ModelStage.STAGING)
        done = registry.promote_model("breast-cancer:0.1.0", ModelStage.PRODUCTION, reason="first release")
        for rule in done.verdict.rules:
            say(f"{'pass' if rule.passed else 'FAIL'}  {rule.rule}: wanted {rule.expected}, saw {rule.observed}")
        registry.set_alias("breast-cancer", "champion", "breast-cancer:0.1.0")
        """,
        f"""
        modelyard {registry} promote breast-cancer:0.1.0 --target-stage production --reason 'first release'
        modelyard {registry} alias set breast-cancer champion breast-cancer:0.1.0
        """,
    )
    step(
        "The stump does not pass, and is told why; nothing has moved",
        """
        registry.promote_model("breast-cancer:0.1.1", ModelStage.STAGING)
        registry.promote_model("breast-cancer:0.1.1", ModelStage.PRODUCTION)
        """,
        f"modelyard {registry} promote breast-cancer:0.1.1 --target-stage production",
        refused=True,
    )
    step(
        "The linear model is better: compare, then promote it over the version we believe is live",
        """
        found = registry.compare_models("breast-cancer:0.1.0", "breast-cancer:0.1.2")
        say(f"winner: {found.winner}, confidence {found.confidence_score:.3f} ({found.confidence_kind})")
        registry.promote_model("breast-cancer:0.1.2", ModelStage.STAGING)
        registry.promote_model("breast-cancer:0.1.2", ModelStage.PRODUCTION,
                               expected="breast-cancer:0.1.0", reason="better recall")
        registry.set_alias("breast-cancer", "champion", "breast-cancer:0.1.2")
        from datetime import datetime, timezone
        before_the_incident = datetime.now(timezone.utc)
        """,
        f"""
        modelyard {registry} compare breast-cancer:0.1.0 breast-cancer:0.1.2
        modelyard {registry} promote breast-cancer:0.1.2 --target-stage production --expected breast-cancer:0.1.0
        """,
    )
    step(
        "Break one bit of its file, in a copy of the registry: nothing is loaded from damaged bytes",
        """
        import os
        shutil.copytree(PLACE, COPY)
        damaged = ModelRegistry(COPY)
        path = damaged.get_model("breast-cancer@champion").artifact_path
        os.chmod(path, 0o600)
        with open(path, "r+b") as file:
            file.seek(100)
            byte = file.read(1)[0]
            file.seek(100)
            file.write(bytes([byte ^ 1]))
        damaged.load_model("breast-cancer@champion")
        """,
        f"modelyard --registry {copy} fsck --deep",
        refused=True,
    )
    step(
        "Roll back: the version before is verified and loaded in a subprocess first, then stage and alias move as one",
        """
        back = registry.rollback_model("breast-cancer", reason="alarms from the ward")
        say(f"{back.incumbent.version} -> {back.candidate.version}; aliases that followed: {', '.join(back.aliases)}")
        say(f"it loads: {back.load_check['ok']}, in {back.load_check['seconds']:.1f} s, in a process of its own")
        """,
        f"modelyard {registry} rollback breast-cancer --reason 'alarms from the ward'",
    )
    step(
        "What was live before the incident, and what is live now?",
        """
        then = registry.as_of("breast-cancer", before_the_incident)
        now = registry.status("breast-cancer")
        say(f"then: {then.version}")
        say(f"now:  {now.live.version}, since {now.since:%H:%M:%S} UTC, by {now.by}: {now.reason}")
        say(f"is it really that: bytes {'intact' if now.intact else 'DAMAGED'};  undo: {now.undo_note or now.undo.version}")
        """,
        f"""
        modelyard {registry} status breast-cancer
        modelyard {registry} as-of breast-cancer '2 minutes ago'
        """,
    )
    step(
        "Load by alias, and predict",
        """
        model = registry.load_model("breast-cancer@champion")
        say(f"{type(model).__name__} says {model.predict(X_test[:8]).tolist()}, truth is {y_test[:8].tolist()}")
        """,
        f"modelyard {registry} download breast-cancer@champion ./served-model",
    )
    step(
        "Prove that nobody rewrote this history",
        """
        proof = registry.verify_audit()
        say(f"{proof.events} events in {proof.chains} chains, {len(proof.breaks)} broken; root {proof.root[:16]}...")
        for event in registry.history("breast-cancer", newest_first=False):
            say(f"{event.sequence:3} {event.at:%H:%M:%S} {event.actor:10} {event.action:20} {event.subject:12} {event.reason}")
        registry.close()
        """,
        f"""
        modelyard {registry} audit verify
        modelyard {registry} history breast-cancer
        """,
    )
    shutil.rmtree(copy, ignore_errors=True)
    print(
        f"""
{BOLD}Done in {time.monotonic() - started:.1f} s. The registry is the folder {PLACE}/. What to try next:{PLAIN}
   1. .venv/bin/modelyard {registry} monitor          # what is live, watched
   2. .venv/bin/modelyard {registry} rollback breast-cancer --drill
   3. open docs/tutorial/first-registry.md            # the same with your own model
"""
    )


if __name__ == "__main__":
    main()
