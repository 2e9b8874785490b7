"""A second mind about schemas: the `jsonschema` package, slow and plain, with the readings our validator has.

Python's `$` also matches before a final line break and its `\\d` knows more digits;
our schemas use neither trick, so only `$` is read as the end of the text here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry, Resource


def _pattern(_: Validator, pattern: str, instance: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and not re.search(pattern.removesuffix("$") + r"\Z", instance):
        yield jsonschema.ValidationError("pattern")


def _integer(_: Any, instance: Any) -> bool:
    return (isinstance(instance, int) and not isinstance(instance, bool)) or (
        isinstance(instance, float) and instance.is_integer()
    )


_Oracle = extend(
    jsonschema.Draft202012Validator,
    {"pattern": _pattern},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _integer),
)


def oracle(schema: dict[str, Any], documents: dict[str, Any] | None = None) -> Validator:
    """A validator for a schema; `documents` are what its references may lead to, by any name."""
    registry: Registry[Any] = Registry().with_resources(
        (document["$id"], Resource.from_contents(document)) for document in (documents or {}).values()
    )
    return _Oracle(schema, registry=registry)
