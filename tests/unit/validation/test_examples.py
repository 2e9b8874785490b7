"""Every example that must pass passes, every one that must fail names the expected place and code."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gateway.engines.files.documents import default_catalogue, default_rules
from gateway.model.identifiers import NoticeType, OfficeId
from gateway.model.notice import REPORTS, SubmittedNotice, ValidNotice
from gateway.validation.catalogue import Leaf, UnknownLeaf, fields_in
from gateway.validation.validate import validate

EXAMPLES = Path(__file__).resolve().parents[3] / "schemas" / "examples"
RULES = default_rules()
TODAY = date(2026, 11, 23)
FILES = sorted(EXAMPLES.glob("*/*.json"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def submitted(example: dict[str, Any]) -> SubmittedNotice:
    return SubmittedNotice(OfficeId("police.440113"), "n-1", NoticeType(example["type"]), example["data"])


@pytest.mark.parametrize("path", [p for p in FILES if p.name.startswith("pass-")], ids=name_of)
def test_a_good_example_passes_without_a_flag(path: Path):
    example = json.loads(path.read_text(encoding="utf-8"))
    answer = validate(submitted(example), RULES, TODAY)
    assert isinstance(answer, ValidNotice), answer
    assert (answer.flags, answer.quarantined, answer.set_aside) == ((), (), {})
    assert answer.notice.data is example["data"]
    unknown = [item for item in RULES.catalogue.walk(example["data"], answer.type) if isinstance(item, UnknownLeaf)]
    assert unknown == []


@pytest.mark.parametrize("path", [p for p in FILES if p.name.startswith("fail-")], ids=name_of)
def test_a_bad_example_fails_where_and_how_it_says(path: Path):
    example = json.loads(path.read_text(encoding="utf-8"))
    expected = [(problem["code"], problem["position"]) for problem in example["problems"]]
    answer = validate(submitted(example), RULES, TODAY)
    if example["type"] in REPORTS:
        assert isinstance(answer, ValidNotice)
        assert sorted(tuple(flag.split(":", 1)) for flag in answer.flags) == sorted(expected)
        again = validate(
            SubmittedNotice(OfficeId("police.440113"), "n-1", answer.type, answer.notice.data), RULES, TODAY
        )
        assert isinstance(again, ValidNotice)
        assert again.quarantined == ()
    else:
        assert not isinstance(answer, ValidNotice)
        assert sorted((problem.code, problem.position) for problem in answer) == sorted(expected)
        assert all(problem.remedy for problem in answer)


def test_every_notice_type_has_examples_of_both_kinds():
    for prefix in ("pass-", "fail-"):
        seen = {path.parent.name for path in FILES if path.name.startswith(prefix)}
        assert seen == set(default_catalogue().notice_types)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_fields_that_a_disclosure_tells_of_are_those_of_the_walk(path: Path):
    example = json.loads(path.read_text(encoding="utf-8"))
    catalogue = RULES.catalogue
    for kind in catalogue.notice_types:  # members of another type are unknown here, as are wrong shapes
        leaves = catalogue.walk(example["data"], kind)
        walked = {spec.id for leaf in leaves if isinstance(leaf, Leaf) for spec in leaf.specs}
        assert fields_in(catalogue, example["data"], kind) == walked
