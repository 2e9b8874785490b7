"""Two notices equal in the decision and in what it shows release identical bytes.

Each example draws a notice and an outcome, then changes the notice in every way that the outcome does not show:
hidden values, hidden and unknown members, hidden persons, the sender's order and numbering, values within one coarse or
masked form, and copies of what is not counted. Nothing of that may move one byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.access import PRESETS, Decision, Facet
from gateway.model.fields import FieldSpec
from gateway.privacy.forms import allowed, kind_of
from gateway.privacy.release import ReleaseNotes, release
from gateway.privacy.steps import NOTICE_REFERENCES, PERSON_REFERENCES
from tests.unit.privacy.bodies import bodies
from tests.unit.privacy.building import PROJECTOR, SPECS, TABLES, context, decision

SEEDS = st.integers(0, 2**32)
PRESET_NAMES = ["withhold", "withhold", "presence", "pseudonym", "generalise", "mask", "relay", "summary", "clear"]
REFERENCES = {"n-1": "msg-1"}
POOL: Mapping[str, list[Any]] = {
    "name": ["李小测", "李大测", "李测", "欧阳小测", "欧阳测", "阿依古丽", "张测", "张小测"],
    "id_no": ["999999201503010016", "999999201203010013", "999999201003010010"],
    "student_no": ["G999999201503010016", "G999999201203010013"],
    "phone": ["13800138000", "13812345600", "110", "119"],
    "date": ["2015-03-01", "2015-03-02", "2015-04-01", "2012", "2013", "2026-02-01", "2026-02-09"],
    "datetime": ["2026-03-01T08:00:00+08:00", "2026-03-09T08:00:00+08:00", "2026-02", "2026-02-03"],
    "region": ["440113001001", "440113001002", "440113002001", "440113", "440114001"],
    "text": ["一", "二", "三"], "summary_text": ["一", "二"], "place": ["一", "二"], "address": ["一", "二"],
    "codes": [["H21"], ["H22"], ["H21", "H22"], ["D31"], ["D32"], ["D11"], ["F43"], ["F32", "F43"], ["S06"]],
    "code": ["A06", "A10", "29-1", "51", "52", "61"], "sex": ["1", "2"], "boolean": [True, False],
    "age": [{"years": 8}, {"years": 9}, {"years": 10, "months": 2}, {"years": 15}],
    "age_band": ["8-11", "12-13"], "school": ["2144000001", "x"], "unit": ["police.440113", "police.440113.a", "某中心"],
    "file_no": ["1", "2"], "key": ["k1", "k2"], "level": [0, 1, 2, "R1", "R2", "R4"],
}  # fmt: skip


def outcome(random: Random) -> Decision:
    counts = {f"{group}.count": random.choice(PRESET_NAMES) for group in ("minor", "guardian", "sibling", "measures")}
    floors = {str(name): PRESETS["clear"] for name in random.sample(sorted(SPECS), 3)} if random.random() < 0.3 else {}
    return decision({**{name: random.choice(PRESET_NAMES) for name in SPECS}, **counts}, floors=floors)


class Rewriter:
    """Changes what an outcome does not show."""

    def __init__(self, made: Decision, random: Random) -> None:
        self.made, self.random = made, random
        self.by_path: dict[str, list[FieldSpec]] = {}
        for spec in SPECS.values():
            self.by_path.setdefault(spec.path, []).append(spec)
        self.points = any(
            made.shown(spec.id) & Facet.FULL
            for spec in SPECS.values()
            if spec.path in PERSON_REFERENCES or spec.path.rpartition(".")[2] in ("of", "lives_with")
        )

    def _one(self, field_id: Any, person_role: str | None, name: str) -> Facet:
        shown = self.made.shown(field_id)
        if person_role is not None and name in ("id_no", "student_no") and f"{person_role}.student_no" in SPECS:
            met = self.made.shown(f"{person_role}.id_no") & self.made.shown(f"{person_role}.student_no")  # type: ignore[arg-type]
            return met | self.made.fields[field_id].floor
        return shown

    def facets(self, path: str, roles: list[str] | None) -> Facet:
        specs = [spec for spec in self.by_path.get(path, []) if roles is None or spec.role in roles]
        if not specs:
            return Facet.NOTHING
        name = path.rpartition(".")[2]
        met, floor = self._one(specs[0].id, specs[0].role, name), Facet.NOTHING
        for spec in specs:
            met &= self._one(spec.id, spec.role, name)
            floor |= self.made.fields[spec.id].floor
        return allowed(met | floor, kind_of(specs[0], specs[0].code_table in TABLES))

    def leaf(self, path: str, value: Any, roles: list[str] | None) -> Any:
        """Another value that looks the same at the facets shown; `...` to leave the member out."""
        spec = self.by_path[path][0]
        shown = self.facets(path, roles)
        if path == "harm.summary" and self.facets("harm.narrative", None) & Facet.SUMMARY:
            return value
        if path in NOTICE_REFERENCES:
            hidden = not shown or REFERENCES.get(str(value)) is None
            return self.random.choice([..., "n-2", "n-9"]) if hidden else value
        if not shown:
            return self.random.choice([..., "hidden", 7, True, [], {"a": ["x"]}, *POOL.get(spec.kind, [])])
        if shown & (Facet.FULL | Facet.LINKABLE | Facet.RELAY):
            return value
        kind = kind_of(spec, spec.code_table in TABLES)
        table = TABLES.get(spec.code_table or "", {})

        def seen(one: Any) -> Any:
            if not kind.fits(one) or one in ("", []):
                return ("odd", repr(one))
            form: Any = None
            if shown & Facet.COARSE and kind.generalise:
                form = kind.generalise(one, table, context().as_of)
            elif shown & Facet.PARTIAL and kind.mask:
                form = kind.mask(one)
            return ("form", form)

        return self.random.choice([one for one in [value, *POOL.get(spec.kind, [])] if seen(one) == seen(value)])

    def object(self, prefix: str, value: dict[str, Any], roles: list[str] | None) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, member in value.items():
            path = f"{prefix}.{name}" if prefix else name
            if (
                path in ("persons[].ref", "persons[].roles", "persons[].of", "persons[].lives_with")
                or path in PERSON_REFERENCES
            ):
                out[name] = member
            elif path in self.by_path:
                changed = self.leaf(path, member, roles)
                if changed is not ...:
                    out[name] = changed
            elif type(member) is dict and any(known.startswith(path + ".") for known in self.by_path):
                out[name] = self.object(path, member, roles)
            elif type(member) is list and any(known.startswith(path + "[]") for known in self.by_path):
                out[name] = self.array(path, member)
            else:
                out[name] = self.random.choice([member, "unknown", {"x": 1}])
        if self.random.random() < 0.5:
            out["no_such_member"] = self.random.choice(["x", [1], {"name": "李小测"}])
        members = list(out.items())
        self.random.shuffle(members)
        return dict(members)

    def array(self, path: str, elements: list[Any]) -> list[Any]:
        out = []
        for element in elements:
            roles = element.get("roles") if path == "persons" else None
            out.append(self.object(path + "[]", element, roles))
        if path != "persons" and self.random.random() < 0.5:
            out.append({"no_such_member": self.random.randint(0, 9)})
        self.random.shuffle(out)
        return out

    def body(self, data: dict[str, Any]) -> dict[str, Any]:
        out = self.object("", data, None)
        if self.random.random() < 0.7:
            out["persons"] = self.persons(out.get("persons", []))
        return self.renumbered(out)

    def persons(self, persons: list[Any]) -> list[Any]:
        """Hidden persons come, and copies of persons who are not counted, where nothing points at any."""
        nobody = {"ref": "hidden-1", "roles": ["other"], "no_such_member": 1}
        persons = [*persons, nobody]
        for person in list(persons):
            roles = person["roles"]
            told = any(self.made.shown(f"{role}.count") for role in roles)  # type: ignore[arg-type]
            named = self.facets("persons[].name", roles) & Facet.FULL
            if not told and not named and not self.points and self.random.random() < 0.5:
                persons.append({**person, "ref": f"copy-{len(persons)}", "no_such_member": 2})
        self.random.shuffle(persons)
        return persons

    def renumbered(self, data: dict[str, Any]) -> dict[str, Any]:
        refs = [person["ref"] for person in data.get("persons", [])]
        names = [f"x{index}" for index in range(len(refs))]
        self.random.shuffle(names)
        new = dict(zip(refs, names, strict=True))
        for person in data.get("persons", []):
            person["ref"] = new[person["ref"]]
            if "of" in person:
                person["of"] = new.get(person["of"], "gone")
            if "lives_with" in person:
                person["lives_with"] = [
                    new.get(ref, "gone") for ref in self.random.sample(person["lives_with"], len(person["lives_with"]))
                ]
        respondent = data.get("order", {}).get("respondent") if isinstance(data.get("order"), dict) else None
        if isinstance(respondent, str):
            data["order"]["respondent"] = new.get(respondent, "gone")
        return data


@settings(max_examples=200, deadline=None)
@given(bodies(), SEEDS)
def test_what_is_not_shown_never_moves_a_byte(data: dict[str, Any], seed: int):
    random = Random(seed)
    made = outcome(random)
    other = Rewriter(made, random).body(orjson.loads(orjson.dumps(data)))
    first, second = ReleaseNotes(), ReleaseNotes()
    one = release(data, made, context(references=REFERENCES), PROJECTOR, first)
    two = release(other, made, context(references=REFERENCES), PROJECTOR, second)
    assert two.canonical == one.canonical
    assert two == one
    assert first.content_digest == second.content_digest


@settings(max_examples=50, deadline=None)
@given(bodies(), SEEDS)
def test_a_release_is_a_function_of_its_input_and_leaves_it_as_it_was(data: dict[str, Any], seed: int):
    random = Random(seed)
    made = outcome(random)
    before = orjson.dumps(data)
    one = release(data, made, context(), PROJECTOR)
    assert orjson.dumps(data) == before
    assert release(data, made, context(), PROJECTOR) == one


@settings(max_examples=50, deadline=None)
@given(bodies(), SEEDS)
def test_showing_less_never_shows_a_text_that_more_did_not(data: dict[str, Any], seed: int):
    """Every hidden field's own marker stays out of the bytes, whatever else is shown."""
    random = Random(seed)
    made = decision({name: random.choice(["withhold", "clear"]) for name in SPECS})
    marked = orjson.loads(orjson.dumps(data))
    for index, person in enumerate(marked.get("persons", [])):
        person["name"], person["phone"] = f"NAME-{index}-", f"PHONE-{index}-"
    text = release(marked, made, context(), PROJECTOR).canonical
    for index, person in enumerate(marked.get("persons", [])):
        for name, marker in (("name", b"NAME-%d-"), ("phone", b"PHONE-%d-")):
            hidden = not all(made.shown(f"{role}.{name}") for role in person["roles"])  # type: ignore[arg-type]
            if hidden:
                assert marker % index not in text
