"""Why can a value not take a form that the decision allows?"""

from __future__ import annotations

from enum import Enum


class NoForm(Enum):
    """`COARSER_UNKNOWN`: a fitting value without that form, so the next smaller one, existence, is shown.
    `WRONG`: not a value of its kind, so it is withheld and flagged."""

    COARSER_UNKNOWN = "coarser-unknown"
    WRONG = "wrong"
