"""What does an operator's JSON say of an office? Its members as the fields of a directory entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.model.agency import QueueUse, Webhook
from gateway.model.identifiers import NoticeType
from gateway.services.enrol import Enrol

_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name_zh": str,
    "name_en": str,
    "adapter": str,
    "media_type": str,
    "scope": tuple,
    "webhook": lambda told: None if told is None else Webhook(str(told["url"]), told.get("trust_pem")),
    "queue": lambda told: None if told is None else QueueUse(str(told)),
    "sends": lambda told: None if told is None else frozenset(map(NoticeType, told)),
    "accepts_obligations": frozenset,
    "agreements": frozenset,
    "attributes": dict,
}


def entry_of(document: Mapping[str, Any], enrol: Enrol) -> dict[str, Any]:
    """The fields that the document names; with an adapter its first media type, unless another is named.

    Raises KeyError, TypeError, AttributeError or ValueError for a member of another form, InvalidDocument for a bad key.
    """
    fields = {name: read(document[name]) for name, read in _READ.items() if name in document}
    if "adapter" in fields and "media_type" not in fields:
        fields["media_type"] = enrol.media_type(fields["adapter"])
    if "keys" in document:
        fields["keys"] = tuple(enrol.key(jwk, str(jwk.get("use", "sig"))) for jwk in document["keys"])
    return fields
