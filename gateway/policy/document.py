"""Do the policy files say something, and only things that exist?

`load_document` takes file names and texts (reading them is the caller's work)
and the field catalogue, and gives a `PolicyDocument` or *every* problem it
found, each with file and line. Files say what they are with `kind`:

    vocabulary        facts and their domains, agencies, obligations (exactly one file)
    purposes          purposes and legal bases; they may also stand in the vocabulary (at most one file, like the next four)
    consent           who has a say for a child, and what the person is told
    agreements        agreements between agencies, their dates and parties
    clocks            within what time something must be done
    safeguards        emergency access, and questions that a sealed record could answer
    fieldgroups       named sets of field ids
    disclosure        permits, limits, floors, implies, directions, waivers
    routing           who might receive a notice, and for which purpose
    routing_settings  local switches and the purpose of each agency's own duty (at most one file)

The JSON Schemas in `policies/schemas/` state the same shapes for editors.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.access import DELIVER, Facet
from gateway.model.consent import BY_LAW
from gateway.model.errors import InvalidDocument
from gateway.model.fields import PERSON_ROLES, FieldSpec, SensitivityClass
from gateway.model.identifiers import FieldId
from gateway.policy.agreements import FROM_THE_DIRECTORY, read_agreements
from gateway.policy.clocks import read_clocks
from gateway.policy.consent_document import read_consent
from gateway.policy.disclosure_document import DisclosureReader, claimant_limits
from gateway.policy.reading import Node, Problems, read_files
from gateway.policy.routing_document import read_tables
from gateway.policy.rules import Implication, PolicyDocument
from gateway.policy.safeguards import read_safeguards
from gateway.policy.vocabulary import Origin
from gateway.policy.vocabulary_document import read_vocabulary

ONE_FILE = ("vocabulary", "purposes", "consent", "agreements", "clocks", "safeguards")
ROUTING = ("routing", "routing_settings")
KINDS = (*ONE_FILE, "fieldgroups", "disclosure", *ROUTING)
# Other files in `policies/`, read elsewhere and skipped here.
FOREIGN_KINDS = ("cases", "calendar", "law")


def with_virtual_fields(catalogue: Mapping[FieldId, FieldSpec]) -> dict[FieldId, FieldSpec]:
    """The catalogue, and what is decided beside it: delivery itself, and how many persons of a role or elements of an array there are."""
    full = {
        DELIVER: FieldSpec(DELIVER, "", "boolean", SensitivityClass.S2, "通报送达"),
    }
    for role in PERSON_ROLES:
        field_id = FieldId(f"{role}.count")
        full[field_id] = FieldSpec(field_id, "", "count", SensitivityClass.S3, "人数", role=role)
    for spec in catalogue.values():
        array = spec.path.rpartition("[]")[0].replace("[]", "")
        if array and spec.role is None:
            field_id = FieldId(f"{array}.count")
            full[field_id] = FieldSpec(field_id, "", "count", SensitivityClass.S3, "条数")
    full.update(catalogue)
    return full


def load_document(files: Mapping[str, str], catalogue: Mapping[FieldId, FieldSpec]) -> PolicyDocument:
    """Read policy files (name to text) against the field catalogue.

    Files of another known kind (worked cases, the map of the law) are skipped.
    Raises InvalidDocument with every problem found.
    """
    problems = Problems()
    by_kind: dict[str, list[Node]] = {kind: [] for kind in KINDS}
    for name, root in read_files(files, problems):
        kind_node = root.entries().get("kind") if root.is_mapping else None
        if kind_node is None:
            problems.add("missing-key", Origin(name, 1), "the key `kind` is missing", f"one of: {', '.join(KINDS)}")
            continue
        kind = kind_node[1].one_of({name: name for name in (*KINDS, *FOREIGN_KINDS)}, "kind of file")
        if kind in by_kind:
            by_kind[kind].append(root)
    for kind in ONE_FILE:
        for extra in by_kind[kind][1:]:
            extra.problem("second-file", f"there is one file of kind `{kind}`, and another is given")
    if not by_kind["vocabulary"]:
        problems.add("no-vocabulary", Origin("policies", 1), "there is no file of kind `vocabulary`")
    if problems.found and len(by_kind["vocabulary"]) != 1:
        raise InvalidDocument("the policy files are wrong", problems=tuple(problems.found))
    full = with_virtual_fields(catalogue)
    vocabulary = read_vocabulary(by_kind["vocabulary"][0], full, next(iter(by_kind["purposes"]), None))
    consent = [read_consent(root, vocabulary) for root in by_kind["consent"]]
    agreements = [read_agreements(root, vocabulary) for root in by_kind["agreements"]]
    clocks = [read_clocks(root, vocabulary) for root in by_kind["clocks"]]
    safeguards = [read_safeguards(root, vocabulary) for root in by_kind["safeguards"]]
    tables = [root for kind in ROUTING for root in by_kind[kind]]
    routing = read_tables(tables, vocabulary, problems) if tables else None
    reader = DisclosureReader(full, vocabulary, problems)
    for root in by_kind["fieldgroups"]:
        reader.field_groups(root)
    for root in by_kind["disclosure"]:
        reader.disclosure(root)
    reader.rules.extend(claimant_limits(vocabulary))
    for spec in full.values():
        reader.implications.extend(
            Implication(spec.id, Facet.FULL, told, Facet.FULL, Origin(f"schemas:{spec.id}", 1))
            for told in sorted(spec.implies)
            if told in full and told != spec.id
        )
    if problems.found:
        raise InvalidDocument("the policy files are wrong", problems=tuple(problems.found))
    return PolicyDocument(
        vocabulary=vocabulary,
        catalogue=full,
        groups=reader.groups,
        rules=tuple(reader.rules),
        implications=tuple(reader.implications),
        directions=tuple(reader.directions),
        waivers=tuple(reader.waivers),
        consent=consent[0] if consent else BY_LAW,
        agreements=agreements[0] if agreements else FROM_THE_DIRECTORY,
        clocks=clocks[0] if clocks else {},
        routing=routing,
        safeguards=safeguards[0] if safeguards else None,
    )
