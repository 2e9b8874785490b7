"""One policy engine by other authors, asked from outside: `python peer_process.py ENGINE FOLDER`.

Runs in an environment that the bench made for it, with nothing of ours but this file. The folder holds the exported
policy and the questions. For each line read from standard input, all questions are answered that many times and one
line is written: processor seconds of one answer, and on the first line what is shown for each question.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Shown = list[list[str]]
Ask = Callable[[dict[str, Any]], Any]


def rego(folder: Path) -> tuple[Ask, Callable[[Any], Shown]]:
    """regorus; the whole answer is one rule."""
    import regorus

    engine = regorus.Engine()
    engine.add_policy("disclosure.rego", (folder / "disclosure.rego").read_text("utf-8"))

    def ask(question: dict[str, Any]) -> Any:
        engine.set_input_json(json.dumps({"possible": question["possible"], "accepts": question["accepts"]}))
        return engine.eval_rule_as_json("data.hutong.disclosure.shown")

    return ask, lambda answer: sorted(json.loads(answer))


def cedar(folder: Path) -> tuple[Ask, Callable[[Any], Shown]]:
    """Cedar; one question for each field and facet, in one batch, first whether anything is delivered at all."""
    import cedarpy  # type: ignore[import-not-found, unused-ignore]

    bracket = cedarpy.PolicySet.from_str((folder / "bracket.cedar").read_text("utf-8"))
    floors = cedarpy.PolicySet.from_str((folder / "floors.cedar").read_text("utf-8"))
    nobody = cedarpy.Entities.from_json_str("[]")
    pairs: Shown = json.loads((folder / "pairs.json").read_text("utf-8"))

    def allowed(asked: Shown, context: dict[str, Any]) -> Shown:
        requests = [
            {"principal": 'Office::"o"', "action": f'Action::"{facet}"', "resource": f"Field::{json.dumps(field)}", "context": context}
            for field, facet in asked
        ]  # fmt: skip
        answers = [cedarpy.is_authorized_batch(requests, policies, nobody) for policies in (bracket, floors)]
        return [pair for pair, *yes in zip(asked, *answers, strict=True) if any(one.allowed for one in yes)]

    def ask(question: dict[str, Any]) -> Any:
        context = {**{name: values[0] for name, values in question["possible"].items()}, "accepts": question["accepts"]}
        return allowed(pairs, context) if allowed([["notice.deliver", "exists"]], context) else []

    return ask, sorted


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    folder = Path(sys.argv[2])
    ask, read = {"regorus": rego, "cedar": cedar}[sys.argv[1]](folder)
    questions = json.loads((folder / "questions.json").read_text("utf-8"))
    _write([read(ask(question)) for question in questions])
    for line in sys.stdin:
        times, begin = int(line), time.process_time()
        for _ in range(times):
            for question in questions:
                ask(question)
        _write((time.process_time() - begin) / times / len(questions))


if __name__ == "__main__":
    main()
