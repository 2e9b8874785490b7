"""The default matrix (DOMAIN 4.5), cell by cell, against the most that the shipped pack ever shows to each agency.

A cell is the letter of DOMAIN 4.2 (F clear, M mask, G generalise, P pseudonym, B presence, K relay, R summary, - nothing), where it
depends on something `letter?fact=value|value:otherwise`. Emergency access has a set of its own and is left out here.

Apart from the matrix, on the careful side: schools get no harm type at any level (DESIGN 11); the federation and health get the
county where the matrix gives the federation the township; nobody's own callers' reporter is given back to the federation, which has
it; investigation material is for the police alone without asking whose it is, and for courts and procuratorate with two persons' approval.
"""

from __future__ import annotations

import pytest

from gateway.model.access import PRESETS, Facet
from gateway.model.identifiers import FieldId
from gateway.policy.explain import ceiling
from tests.unit.policy.default_pack import pack

LETTERS = {
    "F": "clear", "M": "mask", "G": "generalise", "P": "pseudonym", "B": "presence", "K": "relay", "R": "summary", "-": "withhold",
}  # fmt: skip
AGENCIES = (
    "civil_affairs", "police", "education", "health", "judiciary", "courts", "procuratorate", "womens_federation",
)  # fmt: skip
OWN, TREATS, AID, APPROVED = "own_subject=yes", "own_subject=yes", "purpose=P06", "approval=granted"
EXECUTES = "recipient_role=executor|contractor"
EXECUTOR = "recipient_role=executor"
COMPETENT = "recipient_role=competent"  # the floor of a report: immediate medical alerts
CUSTODY = "track=REMOVED|TEMPORARY|LONG_TERM"

#                MZ    GA    JY    WJ    SF    FY    JC    FL
MATRIX = f"""
minor.name       F     F     F?{OWN}:-    F?{OWN}:-   F?{AID}:P  F     F     P
minor.id_no      F     F     F?{OWN}:-    F?{OWN}:-   F?{AID}:-  F     F     -
minor.student_no F     F     F?{OWN}:-    F?{OWN}:-   F?{AID}:-  F     F     -
minor.birth_date F     F     F?{OWN}:-    F?{OWN}:-   F?{AID}:-  F     F     -
minor.sex        F     F     F?{OWN}:-    F?{OWN}:-   F?{AID}:-  F     F     -
minor.age_band   F     F     F     F     F     F     F     F
minor.residence.address F F  G     G     K     F     F     G
minor.residence.region  F F  G     G     -     F     F     G
minor.placement.address F F  K     F?{TREATS}:-  -  K    F     -
minor.placement.org     F F  K     F?{TREATS}:-  -  K    F     -
minor.school.name       F F  F?{OWN}:-  -  -   F     F     G
guardian.name    F     F     M     F?{OWN}:-   M     F     F     M
guardian.id_no   F     F     M     F?{OWN}:-   M     F     F     M
guardian.phone   F     F     M     F?{OWN}:-   M     F     F     M
guardian.unavailable.reason F F B  B     F?{OWN}:-   F     F     B
infringer.name   M     F     -     -     -     F     F     M
infringer.id_no  M     F     -     -     -     F     F     M
reporter.name    -     F?{APPROVED}:-  -  -  -  -  F?{APPROVED}:-  -
report.reporter_role G F     -     -     -     G     F     -
minor.difficulty F     F     B     B     G     F     F     F
harm.types       F     F     -     F     G     F     F     G
harm.narrative   R     F     -     R     -     F     F     -
harm.injury.codes G    F     -     F     -     F     F     -
harm.injury.text -     F     -     F     -     F     F     -
harm.sexual_detail -   F     -     F?{TREATS}:-  -  F    F     -
harm.hiv_sti_preg.codes - F?{APPROVED}:- - F?{TREATS}:- - F?{APPROVED}:- F?{APPROVED}:- -
harm.care_instruction F?{CUSTODY}:- F?{COMPETENT}:- - F - - - -
minor.mental_health B  B     B     F?{TREATS}:-  -  F?{APPROVED}:-  F?{APPROVED}:-  B
assessment.risk_level F F    G     G     -     F     F     G
measures.code    F     F?{EXECUTES}:G  F?{EXECUTES}:-  F?{EXECUTES}:-  F?{EXECUTES}:-  F  F  F?{EXECUTES}:-
police.status    F     F     G     G     G     F     F     G
police.investigation_material.digest - F - - - F?{APPROVED}:- F?{APPROVED}:- -
order.terms.item F     F     F?{OWN}:-  F?{OWN}:-   -  F     F     F?{EXECUTOR}:-
order.terms.detail F   F     R?{OWN}:-  R?{OWN}:-   -  F     F     -
guardianship.status F  F     B     B     G     F     F     G
welfare.bank_account F -     -     -     -     F?{APPROVED}:-  -  -
welfare.entitlements.code F - B    -     B     F?{APPROVED}:-  -  -
child_view.text  F     F     -     -     F?{AID}:-  F     F     R
"""
# What DOMAIN 4.5 says beneath the matrix, with what it leaves out of these three: contractor, community, coordinator.
BENEATH = f"""
minor.name              P    F    P
minor.id_no             -    F    -
minor.age_band          F    F    F
minor.residence.region  G    F    -
minor.placement.address -    -    -
minor.school.name       -    -    -
guardian.name           -    F    -
infringer.name          -    F    -
reporter.name           -    -    -
report.reporter_role    -    -    -
minor.difficulty        B    F    -
harm.types              -    -    -
harm.narrative          -    -    -
harm.injury.codes       -    -    -
harm.sexual_detail      -    -    -
harm.hiv_sti_preg.codes -    -    -
minor.mental_health     -    -    -
assessment.risk_level   G    -    -
measures.code           F?{EXECUTES}:- F?{EXECUTES}:- F?{EXECUTES}:-
police.status           -    -    -
guardianship.status     -    -    -
welfare.bank_account    -    -    -
child_view.text         -    -    -
correction.fields.new_digest - - -
"""
THREE = ("contractor", "community", "coordinator")
ROWS = [(AGENCIES, line.split()) for line in MATRIX.strip().splitlines()]
ROWS += [(THREE, line.split()) for line in BENEATH.strip().splitlines()]


def most(field: str, **fixed: str) -> Facet:
    return ceiling(pack(), {"emergency": "no", **fixed}, [FieldId(field)]).get(FieldId(field), Facet.NOTHING)


@pytest.mark.parametrize(("agencies", "row"), ROWS, ids=lambda one: str(one[0]))
def test_the_pack_shows_each_agency_what_the_matrix_says(agencies: tuple[str, ...], row: list[str]) -> None:
    field, *cells = row
    assert len(cells) == len(agencies), row
    facts = pack().vocabulary.facts
    for agency, cell in zip(agencies, cells, strict=True):
        letter, _, condition = cell.partition("?")
        wanted = PRESETS[LETTERS[letter]]
        assert most(field, recipient_agency=agency) == wanted, (field, agency)
        if condition:
            when, _, otherwise = condition.partition(":")
            name, values = when.partition("=")[0], when.partition("=")[2].split("|")
            for value in values:
                assert most(field, recipient_agency=agency, **{name: value}) == wanted, (field, agency, value)
            rest = [one for one in facts[name].values if one not in values] + ([] if facts[name].certain else ["?"])
            shown = Facet.NOTHING
            for one in rest:
                shown |= most(field, recipient_agency=agency, **{name: one})
            assert shown == PRESETS[LETTERS[otherwise]], (field, agency, f"not {when}")
