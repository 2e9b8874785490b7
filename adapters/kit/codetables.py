"""Which canonical code does a native spelling stand for, in which table?

The same digits mean different things in different tables (a resident card is
`111` to the police, `01` to health, `1` to schools), so a code never travels
without its table, and every table has a name and a version of its own. A table
lists for each canonical code the native spellings it is read from; the first is
what we write, the second is the label written where a format wants labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import yaml

from adapters.kit.converters import Converter, Noted, Unmappable, Unwritable, half_width


@dataclass(frozen=True)
class CodeTable:
    """`spellings`: canonical code -> native spellings. `pads` accepts unpadded digits (`1` for `01`)."""

    id: str
    name: str
    version: str
    spellings: Mapping[str, tuple[str, ...]]
    pads: int = 0
    suffix: str = ""
    doubtful: frozenset[str] = frozenset()
    _reads: dict[str, str] = field(default_factory=dict, init=False, compare=False)

    def __post_init__(self) -> None:
        for canonical, natives in self.spellings.items():
            for native in natives:
                self._reads.setdefault(native.upper(), canonical)
        for canonical in self.spellings:
            self._reads.setdefault(canonical.upper(), canonical)

    def find(self, native: str) -> str | None:
        plain = half_width(native).strip().upper()
        found = self._reads.get(plain)
        if found is None and self.pads and plain.isdigit():
            found = self._reads.get(plain.zfill(self.pads))
        if found is None and self.suffix:
            found = self._reads.get(plain.removesuffix(self.suffix))
        return found

    def read(self, native: str) -> Any:
        found = self.find(native)
        if found is None:
            raise Unmappable("unmapped-code", f"not in code table `{self.name}` version {self.version}")
        if native.strip() in self.doubtful:
            return Noted(found, "doubtful-code", f"read by code table `{self.name}`, whose spelling is ambiguous")
        return found

    def writer(self, as_label: bool = False) -> Mapping[str, str]:
        """Canonical -> native for the codes that come back as they went; the others cannot be written."""
        index = 1 if as_label else 0
        out: dict[str, str] = {}
        for canonical, natives in self.spellings.items():
            native = natives[index] if len(natives) > index else natives[0] if natives else canonical
            if self.find(native) == canonical:
                out[canonical] = native
        return out

    def converter(self, as_label: bool = False) -> Converter:
        writes = self.writer(as_label)

        def write(value: Any) -> str:
            if not isinstance(value, str) or value not in writes:
                raise Unwritable
            return writes[value]

        return Converter(self.read, write)


def parse_tables(text: str) -> dict[str, CodeTable]:
    """Read a `codes.yaml`. Raises KeyError or ValueError for a malformed one; adapters load at start, so that shows at once."""
    document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    tables: dict[str, CodeTable] = {}
    for table_id, body in document["tables"].items():
        spellings: dict[str, tuple[str, ...]] = {}
        for canonical, natives in body["codes"].items():
            if not isinstance(canonical, str):
                raise ValueError(f"code table `{table_id}`: quote code `{canonical}`")
            spellings[canonical] = tuple(
                str(native) for native in (natives if isinstance(natives, list) else [natives])
            )
        tables[table_id] = CodeTable(
            table_id, body["name"], str(body["version"]), spellings, int(body.get("pads", 0)), body.get("suffix", ""),
            frozenset(map(str, body.get("doubtful", ()))),
        )  # fmt: skip
    return tables


@cache
def shared_tables() -> Mapping[str, CodeTable]:
    """The tables of DOMAIN 2.0 that several agencies spell alike."""
    return parse_tables(resources.files("adapters.kit").joinpath("tables.yaml").read_text("utf-8"))
