"""Strict reading of routing tables: every mistake has a file and a line."""

from __future__ import annotations

import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from gateway.engines.files.documents import default_catalogue
from gateway.model.errors import InvalidDocument
from gateway.model.geography import Matter
from gateway.policy.document import with_virtual_fields
from gateway.policy.reading import Problems, read_files
from gateway.policy.routing_document import load_routing
from gateway.policy.routing_rules import ATTRIBUTES, ROLES, Party, Source
from gateway.policy.vocabulary_document import read_vocabulary
from tests.support.routing import ROOT, routing_files, shipped_tables

DOMAIN_3_2 = [
    "RPT", "RPT-M", "ACC", "TRN", "PFB", "ASM", "REF", "REF-R", "AID", "GRD-W", "GRD-O", "GRD-PA", "GRD-P", "GRD-T",
    "GRD-H", "GRD-RA", "GRD-R", "GRD-S", "GRD-L", "GRD-E", "GRD-D", "LED", "VIS", "CLS", "ESC", "WDR", "COR", "CON",
    "BGN", "QRY", "ANS", "STATS",
]  # fmt: skip

GOOD = """\
kind: routing
notices:
  LED:
    title: {zh: 台账, en: ledger}
    senders: [civil_affairs]
    recipients:
      - id: LED.up
        title: {zh: 上报, en: up}
        citation: [未成年人保护法 43]
        to: competent
        agencies: [civil_affairs]
        matter: support
        as: competent
        purpose: P07
        basis: [L23]
"""


# Tables without those of the reports are refused.
REPORTS = {name: text for name, text in routing_files().items() if name in ("reports.yaml", "settings.yaml")}


def problems_of(text: str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidDocument) as refused:
        load_routing({"mine.yaml": text, **REPORTS})
    return [(problem.code, problem.position) for problem in refused.value.problems]


def test_every_notice_type_of_the_domain_has_a_table() -> None:
    assert sorted(shipped_tables().by_type) == sorted(DOMAIN_3_2)


def test_the_good_table_loads() -> None:
    assert [rule.id for rule in load_routing({"mine.yaml": GOOD, **REPORTS}).by_type["LED"].rules] == ["LED.up"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("written", "instead", "code", "line"),
    [
        ("matter: support", "matter: dancing", "unknown-value", 12),
        ("        matter: support\n", "", "missing-key", 7),
        ("as: competent", "as: friend", "unknown-value", 13),
        ("purpose: P07", "purpose: same", "no-earlier-purpose", 14),
        ("purpose: P07", "purpose: care", "malformed-value", 14),
        ("basis: [L23]", "basis: []", "empty-list", 15),
        ("id: LED.up", "id: VIS.up", "rule-id", 7),
        ("to: competent", "to: owner", "unused-key", 12),
        ("basis: [L23]", "basis: [L23]\n        where: {moon: full}", "unknown-key", 16),
        ("basis: [L23]", "basis: [L23]\n        where: {urgency: 3}", "unknown-value", 16),
        ("basis: [L23]", "basis: [L23]\n        where: {}", "empty-mapping", 16),
        ("basis: [L23]", "basis: [L23]\n        setting: nowhere", "unknown-value", 16),
        ("  LED:", "  RPT:", "report-refused", 3),
        ("kind: routing", "kind: rooting", "unknown-kind", 1),
        ("senders: [civil_affairs]", "senders: [civil_affairs]\n    senders: any", "duplicate-key", 6),
    ],
)
def test_a_mistake_is_named_with_file_and_line(written: str, instead: str, code: str, line: int) -> None:
    assert written in GOOD
    assert (code, f"mine.yaml:{line}") in problems_of(GOOD.replace(written, instead))


def test_an_id_given_twice_is_refused_across_files() -> None:
    with pytest.raises(InvalidDocument) as refused:
        load_routing({"a.yaml": GOOD, "b.yaml": GOOD, **REPORTS})
    assert {problem.code for problem in refused.value.problems} == {"duplicate-type", "duplicate-id"}


def test_the_shipped_tables_use_only_words_of_the_shipped_vocabulary() -> None:
    problems = Problems()
    texts = {
        name: (ROOT / "policies" / name).read_text(encoding="utf-8") for name in ("purposes.yaml", "vocabulary.yaml")
    }
    (_, purposes), (_, root) = read_files(texts, problems)
    vocabulary = read_vocabulary(root, with_virtual_fields(default_catalogue().fields), purposes)
    assert problems.found == []
    assert load_routing(routing_files(), vocabulary).by_type == shipped_tables().by_type
    # `duty` is given by emergency access alone; no routing table may give it
    assert vocabulary.facts["recipient_role"].values.keys() == set(ROLES) | {"duty"}
    unclaimed = (
        GOOD.replace("P07", "P10").replace("basis: [L23]", "basis: [L99]").replace("[civil_affairs]", "[civil_affair]")
    )
    with pytest.raises(InvalidDocument) as refused:
        load_routing({"mine.yaml": unclaimed, **REPORTS}, vocabulary)
    assert {problem.code for problem in refused.value.problems} >= {"unknown-value"}


def test_the_version_names_what_the_tables_mean_and_not_how_they_are_laid_out() -> None:
    version = load_routing({"mine.yaml": GOOD, **REPORTS}).version
    assert load_routing({"yours.yaml": GOOD + "# the same\n", **REPORTS}).version == version
    for written, instead in (
        ("[L23]", "[L22]"),
        ("as: competent", "as: copy"),
        ("matter: support", "matter: schooling"),
    ):
        assert load_routing({"mine.yaml": GOOD.replace(written, instead), **REPORTS}).version != version, written
    two = GOOD + GOOD[GOOD.index("      - id") :].replace("LED.up", "LED.on")
    turned = two.replace("LED.up", "LED.x").replace("LED.on", "LED.up").replace("LED.x", "LED.on")
    assert load_routing({"m": two, **REPORTS}).version != load_routing({"m": turned, **REPORTS}).version


def test_the_editors_schema_accepts_the_shipped_tables_and_knows_the_same_words() -> None:
    schema = json.loads((ROOT / "policies" / "schemas" / "routing.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for name, text in routing_files().items():
        assert not list(validator.iter_errors(yaml.safe_load(text))), name
    definitions = schema["$defs"]
    assert definitions["role"]["enum"] == list(ROLES)
    assert definitions["source"]["enum"] == [source.value for source in Source]
    assert definitions["matter"]["enum"] == [matter.value for matter in Matter]
    assert definitions["party"]["enum"] == [party.value for party in Party]
    assert list(definitions["clause"]["properties"]) == list(ATTRIBUTES)
    assert list(validator.iter_errors(yaml.safe_load(GOOD.replace("matter: support", "matter: dancing"))))
