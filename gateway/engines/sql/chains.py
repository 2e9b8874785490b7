"""Which record did the log last keep about a person, so that the next one can name it?

The owner of a log need not ask its own database for what it wrote a moment ago: a notice makes a dozen records about the
same persons within seconds. Kept are the persons spoken of lately; whoever is not among them is looked up.
"""

from __future__ import annotations

from collections import OrderedDict

from gateway.model.audit import Link

MOST = 16_384


class Chains:
    """By keyed name of a subject, the link that its next record gets. Changes count once `settle` is called, after COMMIT."""

    __slots__ = ("_changed", "_kept")

    def __init__(
        self, kept: OrderedDict[bytes, Link] | None = None, changed: dict[bytes, Link | None] | None = None
    ) -> None:
        # ordered, since a plain dict walks past all that were ever deleted to find its oldest
        self._kept = OrderedDict[bytes, Link]() if kept is None else kept
        self._changed = {} if changed is None else changed

    def copy(self) -> Chains:
        """For a transaction, or a part of one that may be taken back: shares what is committed, and changes nothing of it."""
        return Chains(self._kept, self._changed.copy())

    def get(self, subject: bytes) -> Link | None:
        """None: not known here, the database has to be asked."""
        return self._changed[subject] if subject in self._changed else self._kept.get(subject)

    def move(self, subject: bytes, link: Link) -> None:
        self._changed[subject] = link

    def forget(self, subject: bytes) -> None:
        """Its chain is deleted in this transaction."""
        self._changed[subject] = None

    def settle(self) -> None:
        kept = self._kept
        for subject, link in self._changed.items():
            kept.pop(subject, None)  # what changed last stays longest
            if link is not None:
                kept[subject] = link
        self._changed = {}
        while len(kept) > MOST:
            kept.popitem(last=False)
