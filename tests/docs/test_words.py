"""The glossary has the words of the house, and the threat model names tests that exist."""

import re
from pathlib import Path

from gateway.model.access import PRESETS
from gateway.model.agency import EIGHT_AGENCIES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
WORDS = (
    "enforcement point, decision point, administration point, information point, permit, limit, facet, preset, obligation, "
    "purpose, legal basis, data subject, consent, withdrawal, pseudonym, minimise, retention, notice, envelope, "
    "correlation id, causation id, idempotency key, receipt, acknowledgement, outbox, relay, lease, attempt, backoff, "
    "dead letter, replay, leaf, tree size, root hash, checkpoint, origin, inclusion proof, consistency proof, witness, "
    "cosignature, office, agency, delivery, facts, release, floor, ticket, exchange log"
)


def cells(page):
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    rows = [
        [cell.strip() for cell in line.split(" | ")] for line in (one.strip("| ") for one in lines if one[:1] == "|")
    ]
    return [row for row in rows if not row[0].startswith("---")]


def test_every_word_of_the_house_has_one_line_in_both_languages():
    rows = {row[0]: row for row in cells("glossary.md")}
    assert set(WORDS.split(", ")) <= set(rows)
    for word, row in rows.items():
        assert len(row) == 3, word
        assert any("\u4e00" <= sign <= "\u9fff" for sign in row[1]), word
    assert len(rows) + 3 == len(cells("glossary.md")), "a word stands once (four tables share one head)"


def test_agencies_and_presets_are_spelt_as_in_the_code():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    assert " ".join(EIGHT_AGENCIES) in text
    for name in PRESETS:
        assert name in text


def test_each_threat_has_control_default_and_a_test_that_exists():
    known = set()
    for path in (ROOT / "tests").rglob("*.py"):
        known |= set(re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8")))
    rows = [row for row in cells("threat-model.md") if row[-1].startswith("`test_")]
    assert len(rows) >= 30
    for row in rows:
        assert len(row) == 4, row
        assert all(row), row
        assert row[-1].strip("`") in known, row[-1]


def test_every_page_the_readme_names_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"`((?:docs|ops|policies|schemas)/[\w./-]*)`", text)):
        assert (ROOT / name).exists(), name
