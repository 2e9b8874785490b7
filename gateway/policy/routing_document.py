"""Do the routing files say something, and only things that exist?

`load_routing` takes file names and texts (reading them is the caller's work)
and gives `RoutingTables` or *every* problem it found, each with file and line.
Files say what they are with `kind`:

    routing            notice types with senders, refusals and recipients
    routing_settings   the local switches that rules may name (exactly one file)

The shape is stated for editors in `policies/schemas/routing.schema.json`. With
a vocabulary at hand, agencies, purposes, legal bases and who may claim which
purpose are checked against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gateway.model.errors import InvalidDocument
from gateway.model.geography import Matter
from gateway.model.identifiers import AgencyName, DivisionCode, NoticeType
from gateway.model.notice import REPORTS
from gateway.policy.reading import Node, Problems, read_files
from gateway.policy.report_floor import routed_away
from gateway.policy.routing_rules import (
    ATTRIBUTES,
    OWN_DUTY,
    RANK,
    SAME_PURPOSE,
    Clause,
    NoticeTable,
    Party,
    RefusalRule,
    RoutingRule,
    RoutingTables,
    Setting,
    Source,
)
from gateway.policy.vocabulary import Origin, Vocabulary

_CODE_SHAPES: Mapping[str, re.Pattern[str]] = {
    "harm": re.compile(r"H[0-9]{1,2}|none"),
    "prior_harm": re.compile(r"H[0-9]{1,2}|none"),
    "difficulty": re.compile(r"D[0-9]{1,2}|none"),
    "sender": re.compile(r"[a-z][a-z_]{1,31}"),
    "prior_type": re.compile(r"[A-Z]{3,5}(-[A-Z]{1,2})?"),
}
_AGENCY = re.compile(r"[a-z][a-z_]{1,31}")
_TYPE = re.compile(r"[A-Z]{3,5}(-[A-Z]{1,2})?")
_PURPOSE = re.compile(r"P[0-9]{2}")
_BASIS = re.compile(r"L[0-9]{2}")
_CODE = re.compile(r"[0-9]{6}|[0-9]{9}|[0-9]{12}")
_RULE_ID = re.compile(r"[A-Z]{3,5}(-[A-Z]{1,2})?(\.[a-z0-9-]+)+")

_ROLE_FACT = "recipient_role"
_RULE_REQUIRED = frozenset({"id", "title", "citation", "to", "as", "purpose", "basis"})
_RULE_OPTIONAL = frozenset({"agencies", "matter", "where", "unless", "setting", "reach_suspended"})


def load_routing(files: Mapping[str, str], vocabulary: Vocabulary | None = None) -> RoutingTables:
    """Read routing files that stand alone. Raises InvalidDocument with every problem."""
    problems = Problems()
    tables = read_tables([root for _, root in read_files(files, problems)], vocabulary, problems)
    if problems.found:
        raise InvalidDocument("the routing tables do not hold", problems=tuple(problems.found))
    return tables


def read_tables(roots: Iterable[Node], vocabulary: Vocabulary | None, problems: Problems) -> RoutingTables:
    """All routing files of a pack. What is wrong is added to `problems`, and the tables mean nothing then."""
    reader = _Reader(problems, vocabulary)
    for root in roots:
        reader.file(root)
    reader.finish()
    return RoutingTables.of(reader.tables, reader.settings or {}, reader.duties)


class _Reader:
    def __init__(self, problems: Problems, vocabulary: Vocabulary | None) -> None:
        self.problems = problems
        self.vocabulary = vocabulary
        self.tables: dict[NoticeType, NoticeTable] = {}
        self.settings: dict[str, Setting] | None = None
        self.duties: dict[AgencyName, str] = {}
        self.named_settings: dict[str, Node] = {}
        self.rule_ids: set[str] = set()
        self.places: dict[str, Origin] = {}  # of each notice type

    def file(self, root: Node) -> None:
        entries = root.entries()
        kind = entries["kind"][1].text() if "kind" in entries else ""
        if kind == "routing":
            read = root.members(required=frozenset({"kind", "notices"}))
            if "notices" in read:
                for name, (key, value) in read["notices"].entries().items():
                    self._notice(name, key, value)
        elif kind == "routing_settings":
            read = root.members(required=frozenset({"kind", "settings", "duties"}))
            if self.settings is not None:
                root.problem("second-file", "the routing settings are given in two files")
            self.settings = {}
            if "settings" in read:
                for name, (_, value) in read["settings"].entries().items():
                    self.settings[name] = self._setting(name, value)
            if "duties" in read:
                for name, (key, value) in read["duties"].entries().items():
                    if self._agency(name, key):
                        self.duties[AgencyName(name)] = self._purpose(
                            value, Source.OWNER, frozenset({AgencyName(name)})
                        )
        else:
            root.problem("unknown-kind", f"`{kind}` is no kind of routing file", "routing or routing_settings")

    def finish(self) -> None:
        """What only shows when all files are read."""
        known = self.settings or {}
        for name, node in self.named_settings.items():
            if name not in known:
                node.problem("unknown-value", f"there is no setting `{name}`", f"one of: {', '.join(sorted(known))}")
        for report in sorted(REPORTS):
            table = self.tables.get(report)
            lost = ("always: it has no table",) if table is None else routed_away(table)
            if lost:
                self.problems.add(
                    "report-kept-from-police",
                    self.places.get(report, Origin("routing", 1)),
                    f"a report `{report}` would not reach whom it must: {'; '.join(lost)}",
                    "a rule `to: competent`, `agencies: [police]`, `matter: investigation`, `as: competent`, "
                    "`reach_suspended: yes`, each circumstance a clause of its own, without `unless` and `setting`",
                )

    def _setting(self, name: str, node: Node) -> Setting:
        read = node.members(required=frozenset({"zh", "en", "default"}), optional=frozenset({"except"}))
        exceptions = set()
        for text, item in read["except"].texts() if "except" in read else ():
            self._shape(_CODE, text, item, "a division code of 6, 9 or 12 digits")
            exceptions.add(DivisionCode(text))
        return Setting(
            name,
            read["zh"].text() if "zh" in read else "",
            read["en"].text() if "en" in read else "",
            read["default"].boolean() if "default" in read else False,
            frozenset(exceptions),
        )

    def _notice(self, name: str, key: Node, node: Node) -> None:
        self._shape(_TYPE, name, key, "a notice type such as RPT-M")
        if name in self.tables:
            key.problem("duplicate-type", f"`{name}` has two tables")
        self.places[name] = key.origin
        read = node.members(
            required=frozenset({"title", "senders", "recipients"}), optional=frozenset({"party", "refuse"})
        )
        title = read["title"].title() if "title" in read else None
        senders = self._agencies(read["senders"]) if "senders" in read else frozenset()
        party = Party.ANYONE
        if "party" in read:
            party = read["party"].one_of({party.value: party for party in Party}, "party") or Party.ANYONE
        rules = tuple(self._rule(name, item) for item in read["recipients"].items()) if "recipients" in read else ()
        refusals = tuple(self._refusal(name, item) for item in read["refuse"].items()) if "refuse" in read else ()
        if name in REPORTS and (senders is not None or party is not Party.ANYONE or refusals):
            key.problem("report-refused", "a report is open to every sender and never refused (MPL 11)")
        clauses = [clause for rule in rules for clause in (*rule.where, *rule.unless)]
        clauses += [clause for refusal in refusals for clause in refusal.where]
        attributes = tuple(sorted({attribute for clause in clauses for attribute, _ in clause.needs}))
        self.tables[NoticeType(name)] = NoticeTable(
            NoticeType(name),
            title.zh if title else "",
            title.en if title else "",
            senders,
            party,
            rules,
            refusals,
            attributes,
        )

    def _rule(self, notice_type: str, node: Node) -> RoutingRule:
        read = node.members(required=_RULE_REQUIRED, optional=_RULE_OPTIONAL)
        rule_id = self._id(notice_type, read)
        title = read["title"].title() if "title" in read else None
        source = Source.COMPETENT
        if "to" in read:
            source = read["to"].one_of({source.value: source for source in Source}, "source of recipients") or source
        role = read["as"].one_of({role: role for role in RANK}, "role") if "as" in read else None
        if role is not None and self.vocabulary is not None and role not in self.vocabulary.facts[_ROLE_FACT].values:
            read["as"].problem(
                "unknown-value", f"`{role}` is no value of the fact `{_ROLE_FACT}`: no policy could name it"
            )
        agencies = self._agencies(read["agencies"]) if "agencies" in read else None
        matter = (
            read["matter"].one_of({matter.value: matter for matter in Matter}, "matter") if "matter" in read else None
        )
        if source is Source.COMPETENT and (matter is None or not agencies):
            node.problem(
                "missing-key", "a competent office is found by `agencies` and `matter`; `any` is no agency here"
            )
        if source is not Source.COMPETENT and matter is not None:
            read["matter"].problem("unused-key", "`matter` is only asked for a competent office")
        purpose = self._purpose(read["purpose"], source, agencies) if "purpose" in read else ""
        basis = (
            tuple(text for text, item in read["basis"].texts() if self._basis(text, item)) if "basis" in read else ()
        )
        setting = read["setting"].text() if "setting" in read else None
        if setting is not None:
            self.named_settings.setdefault(setting, read["setting"])
        return RoutingRule(
            id=rule_id,
            title_zh=title.zh if title else "",
            title_en=title.en if title else "",
            citation=tuple(text for text, _ in read["citation"].texts()) if "citation" in read else (),
            source=source,
            role=role or "copy",
            purpose=purpose,
            legal_basis=basis,
            agencies=agencies,
            matter=matter,
            where=self._clauses(read.get("where")),
            unless=self._clauses(read.get("unless")),
            setting=setting,
            reach_suspended=read["reach_suspended"].boolean() if "reach_suspended" in read else False,
        )

    def _refusal(self, notice_type: str, node: Node) -> RefusalRule:
        read = node.members(required=frozenset({"id", "title", "citation", "remedy", "where"}))
        title = read["title"].title() if "title" in read else None
        return RefusalRule(
            self._id(notice_type, read),
            title.zh if title else "",
            title.en if title else "",
            read["remedy"].text() if "remedy" in read else "",
            tuple(text for text, _ in read["citation"].texts()) if "citation" in read else (),
            self._clauses(read.get("where")),
        )

    def _id(self, notice_type: str, read: Mapping[str, Node]) -> str:
        if "id" not in read:
            return ""
        text = read["id"].text()
        self._shape(_RULE_ID, text, read["id"], f"an id such as {notice_type}.police")
        if not text.startswith(f"{notice_type}."):
            read["id"].problem("rule-id", f"`{text}` does not begin with its notice type `{notice_type}.`")
        if text in self.rule_ids:
            read["id"].problem("duplicate-id", f"the id `{text}` is given twice")
        self.rule_ids.add(text)
        return text

    def _clauses(self, node: Node | None) -> tuple[Clause, ...]:
        if node is None:
            return ()
        return tuple(self._clause(item) for item in (node.items() if node.is_list else [node]))

    def _clause(self, node: Node) -> Clause:
        needs = []
        entries = node.entries()
        if node.is_mapping and not entries:
            node.problem("empty-mapping", "an empty condition says nothing", "leave the key out where always is meant")
        for name, (key, value) in entries.items():
            if name not in ATTRIBUTES:
                key.problem("unknown-key", f"`{name}` is no condition", f"one of: {', '.join(sorted(ATTRIBUTES))}")
                continue
            values = set()
            for text, item in value.texts():
                domain = ATTRIBUTES[name]
                if domain is not None and text not in domain:
                    item.problem(
                        "unknown-value", f"`{text}` is no value of {name}", f"one of: {', '.join(sorted(domain))}"
                    )
                if domain is None:
                    self._shape(_CODE_SHAPES[name], text, item, f"a value of {name}")
                if name == "sender":
                    self._agency(text, item)
                values.add(text)
            needs.append((name, frozenset(values)))
        return Clause(tuple(needs))

    def _agencies(self, node: Node) -> frozenset[AgencyName] | None:
        if node.is_scalar and node.text() == "any":
            return None
        return frozenset(AgencyName(text) for text, item in node.texts() if self._agency(text, item))

    def _agency(self, text: str, node: Node) -> bool:
        if self.vocabulary is not None and text not in self.vocabulary.agencies and text != "gateway":
            node.problem(
                "unknown-value", f"there is no agency `{text}`", f"one of: {', '.join(self.vocabulary.agencies)}"
            )
            return False
        return self._shape(_AGENCY, text, node, "an agency name")

    def _purpose(self, node: Node, source: Source, agencies: frozenset[AgencyName] | None) -> str:
        text = node.text()
        if text == SAME_PURPOSE:
            if source not in (Source.PRIOR_RECIPIENTS, Source.ACTIVE):
                node.problem("no-earlier-purpose", "`same` needs recipients that were routed before")
            return text
        if text == OWN_DUTY:
            return text
        self._shape(_PURPOSE, text, node, "a purpose such as P01, `same` or `own_duty`")
        if self.vocabulary is None:
            return text
        purpose = self.vocabulary.purposes.get(text)
        if purpose is None:
            node.problem("unknown-value", f"there is no purpose `{text}`")
        elif purpose.claimed_by:
            for agency in sorted((agencies or frozenset()) - purpose.claimed_by):
                node.problem("purpose-not-claimed", f"`{agency}` may not claim {text} (DOMAIN 5.9)")
            if agencies is None:
                node.problem("purpose-not-claimed", f"{text} is not for every agency: name `agencies`")
        return text

    def _basis(self, text: str, node: Node) -> bool:
        if self.vocabulary is not None and text not in self.vocabulary.legal_bases:
            node.problem("unknown-value", f"there is no legal basis `{text}`")
            return False
        return self._shape(_BASIS, text, node, "a legal basis such as L20")

    def _shape(self, pattern: re.Pattern[str], text: str, node: Node, what: str) -> bool:
        if pattern.fullmatch(text):
            return True
        if text:
            node.problem("malformed-value", f"`{text}` is not {what}")
        return False
