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
    ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[36m", "\033[0m")
    if sys.stdout.isatty()
    else ("",) * 6
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
        print(f"   {DIM}{' ' if line.startswith(' ') else '$'} {line}{PLAIN}")
    try:
        exec(compile(source, "<demo>", "exec"), scope)
    except ModelyardError as error:
        if not refused:
            raise
        for line in (f"refused: {error.detail}", *(f"  - {reason}" for reason in error.reasons)):
            for part in textwrap.wrap(line, 77, subsequent_indent="    "):
                print(f"   {RED}{part}{PLAIN}")
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
    print(f"Each step shows the Python that runs{DIM} and the command that does the same,{PLAIN}")
    print(f"{DIM}given: export MODELYARD_URL={PLACE}{PLAIN}")

    step(
        "Train three models on breast-cancer data, and measure each on held-out rows",
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
        split = train_test_split(X, y, test_size=0.3, random_state=42, stratify=y)
        X_train, X_test, y_train, y_test = split
        forest = RandomForestClassifier(random_state=0).fit(X_train, y_train)
        stump = DecisionTreeClassifier(max_depth=1).fit(X_train, y_train)
        scaled = make_pipeline(StandardScaler(), LogisticRegression())
        scaled.fit(X_train, y_train)
        def measure(model):
            guess = model.predict(X_test)
            known = {"n": len(y_test), "dataset": "breast-cancer", "split": "test"}
            recall = recall_score(y_test, guess, pos_label=0)
            return {"accuracy": {"value": accuracy_score(y_test, guess), **known},
                    "recall": {"value": recall, **known}}
        """,
    )
    step(
        "Register them in a folder: hashed, scanned, synced to disk, one event each",
        """
        from modelyard import ModelRegistry, ModelStage
        registry = ModelRegistry(PLACE)
        for model, note in [(forest, "100 trees"), (stump, "one split"), (scaled, "linear")]:
            model_id = registry.register_model(
                model, "breast-cancer", description=note,
                performance_metrics=measure(model), tags={"team": "oncology"})
            v = registry.get_model(model_id)
            accuracy = v.performance_metrics["accuracy"]
            say(f"{v.version}  accuracy {accuracy:.3f}  scan {v.scan}  {v.digest[:19]}...")
        """,
        """
        modelyard register --model-path model.joblib --name breast-cancer \\
            --metrics '{"accuracy": {"value": 0.94, "n": 171}}' --tag team=oncology
        """,
    )
    step(
        "Give the model its own bar: who promotes need not be who sets it",
        """
        bar = {"min_accuracy": 0.93, "min_recall": 0.90, "no_worse_accuracy": 0.01}
        policy = {"gates": {"production": bar}}
        registry.set_policy("breast-cancer", policy, reason="agreed with the clinic")
        """,
        "modelyard policy set breast-cancer policy.json",
    )
    step(
        "Promote the forest through the gate",
        """
        registry.promote_model("breast-cancer:0.1.0", ModelStage.STAGING)
        done = registry.promote_model("breast-cancer:0.1.0", ModelStage.PRODUCTION,
                                      reason="first release")
        for rule in done.verdict.rules:
            verdict = "pass" if rule.passed else "FAIL"
            say(f"{verdict}  {rule.rule}: wanted {rule.expected}, saw {rule.observed}")
        registry.set_alias("breast-cancer", "champion", "breast-cancer:0.1.0")
        """,
        """
        modelyard promote breast-cancer:0.1.0 --target-stage production \\
            --reason 'first release'
        modelyard alias set breast-cancer champion breast-cancer:0.1.0
        """,
    )
    step(
        "The stump does not pass, and is told why; nothing has moved",
        """
        registry.promote_model("breast-cancer:0.1.1", ModelStage.STAGING)
        registry.promote_model("breast-cancer:0.1.1", ModelStage.PRODUCTION)
        """,
        "modelyard promote breast-cancer:0.1.1 --target-stage production",
        refused=True,
    )
    step(
        "The linear model is better: promote it over the version we believe is live",
        """
        found = registry.compare_models("breast-cancer:0.1.0", "breast-cancer:0.1.2")
        winner = registry.get_model(found.winner).version
        say(f"winner {winner}, confidence {found.confidence_score:.3f} ({found.confidence_kind})")
        registry.promote_model("breast-cancer:0.1.2", ModelStage.STAGING)
        registry.promote_model("breast-cancer:0.1.2", ModelStage.PRODUCTION,
                               expected="breast-cancer:0.1.0", reason="better recall")
        registry.set_alias("breast-cancer", "champion", "breast-cancer:0.1.2")
        from datetime import datetime, timezone
        before_the_incident = datetime.now(timezone.utc)
        """,
        """
        modelyard compare breast-cancer:0.1.0 breast-cancer:0.1.2
        modelyard promote breast-cancer:0.1.2 --target-stage production \\
            --expected breast-cancer:0.1.0
        """,
    )
    step(
        "Break one bit of its file, in a copy of the registry: it is not loaded",
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
        "Roll back: the version before is verified and loaded first, then all move as one",
        """
        back = registry.rollback_model("breast-cancer", reason="alarms from the ward")
        say(f"{back.incumbent.version} -> {back.candidate.version}, and {', '.join(back.aliases)} with it")
        check = back.load_check
        say(f"it loads: {check['ok']}, in {check['seconds']:.1f} s, in its own process")
        """,
        "modelyard rollback breast-cancer --reason 'alarms from the ward'",
    )
    step(
        "What was live before the incident, and what is live now?",
        """
        then = registry.as_of("breast-cancer", before_the_incident)
        now = registry.status("breast-cancer")
        say(f"then: {then.version}")
        say(f"now:  {now.live.version}, since {now.since:%H:%M:%S} UTC, by {now.by}: {now.reason}")
        say(f"is it really that: {'yes' if now.intact else 'NO'}, by its bytes")
        say(f"can it be undone: {now.undo.version if now.undo else 'no, ' + now.undo_note}")
        """,
        """
        modelyard status breast-cancer
        modelyard as-of breast-cancer '2 minutes ago'
        """,
    )
    step(
        "Load by alias, and predict",
        """
        model = registry.load_model("breast-cancer@champion")
        say(f"it says   {model.predict(X_test[:8]).tolist()}")
        say(f"the truth {y_test[:8].tolist()}")
        """,
        "modelyard download breast-cancer@champion ./served-model",
    )
    step(
        "Prove that nobody rewrote this history",
        """
        proof = registry.verify_audit()
        say(f"{proof.events} events in {proof.chains} chains, {len(proof.breaks)} broken")
        for e in registry.history("breast-cancer", newest_first=False):
            say(f"{e.sequence:3} {e.at:%H:%M:%S} {e.actor} {e.action} {e.subject} {e.reason}")
        registry.close()
        """,
        """
        modelyard audit verify
        modelyard history breast-cancer
        """,
    )
    shutil.rmtree(copy, ignore_errors=True)
    seconds = time.monotonic() - started
    print(
        f"""
{BOLD}Done in {seconds:.1f} s. The registry is the folder {PLACE}/. What to try next:{PLAIN}
   1. .venv/bin/modelyard --registry {PLACE} monitor
   2. .venv/bin/modelyard --registry {PLACE} rollback breast-cancer --drill
   3. read docs/tutorial/first-registry.md: the same with your own model
"""
    )


if __name__ == "__main__":
    main()
