"""Does free text name the person whose identity went to the vault?

At intake the exact occurrences of the vaulted reporter's identifiers are cut from free text, before anything else
reads it, so that a narrative cannot undo the vault. Not when the reporter is the child: then the narrative is about
them. Beyond exact occurrences (and the usual separators inside numbers) no automatic redaction is promised; what
the narrative may tell is the policy's business (`x-implies`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.model.fields import FieldSpec

CUT = "〔略〕"
FREE_TEXT_KINDS: frozenset[str] = frozenset({"text", "summary_text", "place"})

# What of a vaulted reporter identifies them. The unit, role and relation are left: the sender's own unit is no
# secret, and places that are named like it may be where a child has to be found.
IDENTIFYING: frozenset[str] = frozenset(
    {"name", "alias", "id_no", "phone", "phones", "mobile", "email", "wechat", "qq", "address", "account", "plate"}
)
SHORTEST = 2
_DIGITS = re.compile(r"[0-9][0-9 \-()]{5,}[0-9Xx]", re.ASCII)


def identifiers_of(reporter: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts to look for, longest first; shorter than two characters or empty ones are left out."""
    found: set[str] = set()
    for name, value in reporter.items():
        if name in IDENTIFYING:
            found |= {one.strip() for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)}
    return tuple(sorted((one for one in found if len(one) >= SHORTEST), key=lambda one: (-len(one), one)))


def _pattern(identifiers: Iterable[str]) -> re.Pattern[str] | None:
    alternatives = []
    for identifier in identifiers:
        if _DIGITS.fullmatch(identifier):
            digits = re.sub(r"[ \-()]", "", identifier)
            alternatives.append(r"(?<![0-9])" + r"[ \-]?".join(map(re.escape, digits)) + r"(?![0-9])")
        else:
            alternatives.append(re.escape(identifier))
    return re.compile("|".join(alternatives), re.IGNORECASE) if alternatives else None


def scrub(
    data: Mapping[str, Any], reporter: Mapping[str, Any], specs: Iterable[FieldSpec], *, reporter_is_child: bool
) -> dict[str, Any]:
    """A body whose free text (and whatever the schema has no field for) no longer holds the reporter's identifiers.

    `reporter` is the vaulted object (`SubmittedNotice.reporter`). `specs` says which fields are not free text and so
    stay as they are: the guardian who reported is still named as guardian. Each cut leaves `〔略〕`. Cost: one
    regular expression over each text, linear in its length.
    """
    pattern = None if reporter_is_child else _pattern(identifiers_of(reporter))
    if pattern is None:
        return dict(data)
    kept = frozenset(spec.path for spec in specs if spec.kind not in FREE_TEXT_KINDS)
    return {name: _scrubbed(value, name, pattern, kept) for name, value in data.items()}


def _scrubbed(value: Any, path: str, pattern: re.Pattern[str], kept: frozenset[str]) -> Any:
    if path in kept:
        return value
    if isinstance(value, str):
        return pattern.sub(CUT, value)
    if isinstance(value, dict):
        return {name: _scrubbed(member, f"{path}.{name}", pattern, kept) for name, member in value.items()}
    if isinstance(value, list):
        return [_scrubbed(element, f"{path}[]", pattern, kept) for element in value]
    return value
