"""The room against the real schemas: every field has a known kind, a segment, and a projection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings

from gateway.model.access import DELIVER, PRESETS, Decision, Facet, FieldDecision
from gateway.model.identifiers import NoticeType, PolicyHash
from gateway.privacy.forms import KINDS
from gateway.privacy.projection import Projector
from gateway.privacy.release import release
from gateway.privacy.segments import Layout, join
from gateway.privacy.steps import NOTICE_REFERENCES, PERSON_REFERENCES
from gateway.validation.catalogue import KINDS as CATALOGUE_KINDS
from gateway.validation.catalogue import Catalogue
from tests.unit.privacy.bodies import bodies
from tests.unit.privacy.building import context

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas"
CATALOGUE = Catalogue(
    {
        str(file.relative_to(SCHEMAS)): orjson.loads(file.read_bytes())
        for folder in ("parts", "notices")
        for file in sorted((SCHEMAS / folder).glob("*.json"))
    }
)
PROJECTOR = Projector({name: CATALOGUE.fields_of(name) for name in CATALOGUE.notice_types})
RPT = NoticeType("RPT")


def clear() -> Decision:
    fields = {field_id: FieldDecision(PRESETS["clear"]) for field_id in CATALOGUE.fields}
    return Decision({**fields, DELIVER: FieldDecision(Facet.EXISTS)}, PolicyHash("p"), "clear")


def test_every_kind_of_the_schemas_has_forms():
    assert set(KINDS) == CATALOGUE_KINDS


def test_every_reference_the_room_knows_is_a_field_of_the_schemas():
    paths = {spec.path for spec in CATALOGUE.fields.values()}
    assert paths >= PERSON_REFERENCES | NOTICE_REFERENCES


def test_no_reference_field_of_the_schemas_is_unknown_to_the_room():
    """A `ref` that the room does not rewrite would carry the sender's numbering out."""
    unknown = {
        spec.path
        for spec in CATALOGUE.fields.values()
        if spec.role is None
        and spec.kind == "meta"
        and spec.path.rpartition(".")[2] in ("ref", "respondent", "giver", "new_guardian", "about", "of")
    } - PERSON_REFERENCES
    assert unknown == set()


@settings(max_examples=60, deadline=None)
@given(bodies())
def test_a_clear_release_holds_what_the_schema_knows_and_nothing_else(data: dict[str, Any]):
    body = release(data, clear(), context(), PROJECTOR).data
    assert "odd" not in orjson.dumps(body).decode()
    assert body.get("harm", {}).get("narrative") == data.get("harm", {}).get("narrative")
    named = sorted(str(one.get("name")) for one in data.get("persons", []) if "name" in one)
    assert sorted(str(one["name"]) for one in body.get("persons", []) if "name" in one) == named


@settings(max_examples=60, deadline=None)
@given(bodies())
def test_a_body_splits_and_joins_by_the_real_schemas(data: dict[str, Any]):
    assert join(Layout(CATALOGUE.fields.values()).split(data)) == data
