"""One policy engine by other authors, asked from outside: `python peer_process.py ENGINE FOLDER STRIDE`.

Runs in an environment that the bench made for it, with nothing of ours but this file. The folder holds the exported
policy and the questions. For each line read from standard input, all questions are answered that many times and one
line is written: processor seconds of one answer, and on the first line what is shown for each question. An engine that
answers pair by pair is asked about every STRIDEth pair of field and facet.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Shown = list[list[str]]
Ask = Callable[[dict[str, Any]], Any]


def rego(folder: Path, stride: int) -> tuple[Ask, Callable[[Any], Shown]]:
    """regorus; the whole answer is one rule."""
    import regorus

    engine = regorus.Engine()
    engine.add_policy("disclosure.rego", (folder / "disclosure.rego").read_text("utf-8"))

    def ask(question: dict[str, Any]) -> Any:
        engine.set_input_json(json.dumps({"possible": question["possible"], "accepts": question["accepts"]}))
        return engine.eval_rule_as_json("data.hutong.disclosure.shown")

    return ask, lambda answer: sorted(json.loads(answer))


def cedar(folder: Path, stride: int) -> tuple[Ask, Callable[[Any], Shown]]:
    """Cedar; one question for each field and facet, in one batch, first whether anything is delivered at all."""
    import cedarpy  # type: ignore[import-not-found, unused-ignore]

    bracket = cedarpy.PolicySet.from_str((folder / "bracket.cedar").read_text("utf-8"))
    floors = cedarpy.PolicySet.from_str((folder / "floors.cedar").read_text("utf-8"))
    nobody = cedarpy.Entities.from_json_str("[]")
    pairs = _pairs(folder, stride)

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


def vakt(folder: Path, stride: int) -> tuple[Ask, Callable[[Any], Shown]]:
    """vakt; one inquiry for each field and facet, over policies for each box of a rule. Floors are a guard of their own."""
    import vakt as engine  # type: ignore[import-not-found, unused-ignore]
    from vakt.rules import Any as Anybody  # type: ignore[import-not-found, unused-ignore]
    from vakt.rules import In

    guards = []
    for floors, stores in ((False, engine.MemoryStorage()), (True, engine.MemoryStorage())):
        for number, (kind, facets, fields, box) in enumerate(_boxes(folder)):
            if (kind == "floor") == floors and facets:
                effect = engine.DENY_ACCESS if kind == "limit" else engine.ALLOW_ACCESS
                context = {name: In(*values) for name, values in box.items()}
                known = {"subjects": [Anybody()], "actions": [In(*facets)], "resources": [In(*fields)]}
                stores.add(engine.Policy(number, effect=effect, context=context, **known))
        guards.append(engine.Guard(stores, engine.RulesChecker()))

    def allowed(pair: list[str], facts: dict[str, str]) -> bool:
        inquiry = engine.Inquiry(subject="office", resource=pair[0], action=pair[1], context=facts)
        return any(guard.is_allowed(inquiry) for guard in guards)

    return _pair_by_pair(folder, stride, allowed)


def casbin(folder: Path, stride: int) -> tuple[Ask, Callable[[Any], Shown]]:
    """Casbin; one request for each field and facet, with functions of ours for what a rule says of facts and fields."""
    import casbin as engine  # type: ignore[import-not-found, unused-ignore]

    boxes = [(kind, set(facets), set(fields), box) for kind, facets, fields, box in _boxes(folder)]

    def holds(facts: dict[str, str], number: str) -> bool:
        return all(facts[name] in values for name, values in boxes[int(number)][3].items())

    def touches(field: str, facet: str, number: str) -> bool:
        return field in boxes[int(number)][2] and facet in boxes[int(number)][1]

    enforcers = []
    for floors in (False, True):
        model = engine.Model()
        model.add_def("r", "r", "facts, field, facet")
        model.add_def("p", "p", "rule, eft")
        model.add_def("e", "e", "some(where (p_eft == allow)) && !some(where (p_eft == deny))")
        model.add_def("m", "m", "touches(r.field, r.facet, p.rule) && holds(r.facts, p.rule)")
        enforcer = engine.Enforcer(model)
        enforcer.add_function("holds", holds)
        enforcer.add_function("touches", touches)
        for number, (kind, *_) in enumerate(boxes):
            if (kind == "floor") == floors:
                enforcer.add_policy(str(number), "deny" if kind == "limit" else "allow")
        enforcers.append(enforcer)

    def allowed(pair: list[str], facts: dict[str, str]) -> bool:
        return any(enforcer.enforce(facts, *pair) for enforcer in enforcers)

    return _pair_by_pair(folder, stride, allowed)


def _pairs(folder: Path, stride: int) -> Shown:
    pairs: Shown = json.loads((folder / "pairs.json").read_text("utf-8"))
    return pairs[::stride]


def _boxes(folder: Path) -> Iterator[tuple[str, list[str], list[str], dict[str, list[str]]]]:
    """Kind, facets, fields and facts of each box: what it shows, or for a limit what it forbids."""
    rules = json.loads((folder / "rules.json").read_text("utf-8"))
    every = {facet for _, facet in _pairs(folder, 1)}
    for rule in rules:
        facets = sorted(every - {*rule["facets"]}) if rule["kind"] == "limit" else rule["facets"]
        for box in rule["boxes"]:
            yield rule["kind"], facets, rule["fields"], box


def _pair_by_pair(
    folder: Path, stride: int, allowed: Callable[[list[str], dict[str, str]], bool]
) -> tuple[Ask, Callable[[Any], Shown]]:
    pairs = _pairs(folder, stride)

    def ask(question: dict[str, Any]) -> Any:
        facts = {name: values[0] for name, values in question["possible"].items()}
        if not allowed(["notice.deliver", "exists"], facts):
            return []
        return [pair for pair in pairs if allowed(pair, facts)]

    return ask, sorted


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    folder = Path(sys.argv[2])
    engines = {"regorus": rego, "cedar": cedar, "vakt": vakt, "casbin": casbin}
    ask, read = engines[sys.argv[1]](folder, int(sys.argv[3]))
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
