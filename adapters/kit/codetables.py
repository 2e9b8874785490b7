"""Which canonical code does a native spelling stand for, in which table?

The same digits mean different things in different tables (a resident card is
`111` to the police, `01` to health, `1` to schools), so a code never travels
without its table. The canonical tables are those of `schemas/codes`; a format
that spells one its own way names it with its system, `id_type@police`. What an
agency has for itself stands in its `codes.yaml`, with a name and a version:

    tables:
      jhqk:                                  # used in mappings as `code: jhqk`
        name: MZ guardianship situation 监护情况
        version: "2026.1"
        base: guardianship_status            # optional: canonical spellings are read as well
        codes: {revoked: [监护资格已撤销]}     # canonical: [what we write, label, other spellings read]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import yaml

from adapters.kit.conversion import Converter, Unmappable, Unwritable
from adapters.kit.documents import hold, read_yaml, wrong
from gateway.model.errors import Problem
from gateway.validation.codes import CodeTable as CanonicalTable
from gateway.validation.codes import CodeTables, folded


@dataclass(frozen=True)
class CodeTable:
    """`spellings`: canonical code -> native spellings, of which the first is written and the second is the label.

    `also_reads`: folded spellings that come before all others, and are never written.
    """

    id: str
    name: str
    version: str
    spellings: Mapping[str, tuple[str, ...]]
    also_reads: Mapping[str, str] = field(default_factory=dict)
    _exact: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)
    _folded: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)
    _writers: dict[bool, dict[str, str]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._folded.update(self.also_reads)
        for canonical, natives in self.spellings.items():
            for native in natives:
                self._folded.setdefault(folded(native), canonical)
        for natives in self.spellings.values():
            for native in natives:
                self._exact[native] = self._folded[folded(native)]

    def find(self, native: str) -> str | None:
        """Full width, case and blanks around do not matter, nor does a lost leading zero of a two-digit code."""
        found = self._exact.get(native)
        if found is not None:
            return found
        plain = folded(native)
        found = self._folded.get(plain)
        if found is None and len(plain) == 1 and plain.isdigit():
            found = self._folded.get("0" + plain)
        return found

    def read(self, native: str) -> Any:
        found = self.find(native)
        if found is None:
            raise Unmappable("unmapped-code", f"not in code table `{self.name}` version {self.version}")
        return found

    def writer(self, as_label: bool = False) -> Mapping[str, str]:
        """Canonical -> native for the codes that come back as they went; the others cannot be written."""
        made = self._writers.get(as_label)
        if made is None:
            made = self._writers[as_label] = self._made_writer(as_label)
        return made

    def _made_writer(self, as_label: bool) -> dict[str, str]:
        index = 1 if as_label else 0
        out: dict[str, str] = {}
        for canonical, natives in self.spellings.items():
            native = natives[index] if len(natives) > index else natives[0] if natives else canonical
            if self.find(native) == canonical:
                out[canonical] = native
        return out

    def converter(self, as_label: bool = False) -> Converter:
        writes, exact, search = self.writer(as_label), self._exact, self.read

        def read(native: str) -> Any:
            found = exact.get(native)
            return search(native) if found is None else found

        def write(value: Any) -> str:
            if not isinstance(value, str) or value not in writes:
                raise Unwritable
            return writes[value]

        return Converter(read, write)


def _canonical(table: CanonicalTable, system: str | None) -> CodeTable:
    spellings: dict[str, tuple[str, ...]] = {}
    own = table.encode.get(system, {}) if system else {}
    for code, entry in table.entries.items():
        spellings[code] = (own.get(code, code), entry.zh, *entry.aliases, code, entry.en)
    # what another code is written as must not be read by the canonical code itself: `111` beside the code `01`
    reads = dict(table.decode.get(system, {})) if system else {}
    name = f"{table.name}@{system}" if system else table.name
    return CodeTable(name, f"{name} ({table.source})", table.version, spellings, reads)


def parse_tables(text: str, where: str = "codes.yaml") -> dict[str, CodeTable]:
    """Read a `codes.yaml`. Raises InvalidDocument with every problem found."""
    document = read_yaml(text, where)
    hold(document, "codes.schema.json", where)
    unknown = sorted({body["base"] for body in document["tables"].values() if "base" in body} - shared_tables().keys())
    if unknown:
        raise wrong(
            f"`{where}` names what does not exist", [Problem("mapping", where, f"no table `{unknown}` to base on")]
        )
    tables: dict[str, CodeTable] = {}
    for table_id, body in document["tables"].items():
        base = shared_tables()[body["base"]].spellings if "base" in body else {}
        spellings: dict[str, tuple[str, ...]] = {}
        for canonical, natives in body["codes"].items():
            own = tuple(str(native) for native in (natives if isinstance(natives, list) else [natives]))
            spellings[canonical] = own + tuple(word for word in base.get(canonical, ()) if word not in own)
        for canonical, natives in base.items():
            spellings.setdefault(canonical, natives)
        tables[table_id] = CodeTable(table_id, body["name"], str(body["version"]), spellings)
    return tables


@cache
def canonical_tables() -> CodeTables:
    """The tables of `schemas/codes`."""
    folder = resources.files("schemas").joinpath("codes")
    return CodeTables(
        {
            f"codes/{entry.name}": yaml.load(
                entry.read_text("utf-8"),
                Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader),  # noqa: S506 - a safe loader
            )
            for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
            if entry.name.endswith(".yaml")
        }
    )


@cache
def shared_tables() -> Mapping[str, CodeTable]:
    """Every canonical table by name, and once more for each system that spells it its own way (`id_type@police`)."""
    out: dict[str, CodeTable] = {}
    for table in canonical_tables().tables.values():
        for system in (None, *table.decode):
            made = _canonical(table, system)
            out[made.id] = made
    return out
