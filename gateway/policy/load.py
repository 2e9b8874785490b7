"""How do policy files become a policy that may decide?

One call: read strictly, compile the rules in force, prove what the documents
declare. Anything wrong refuses the whole policy, with every problem found.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from gateway.model.errors import InvalidDocument
from gateway.model.fields import FieldSpec
from gateway.model.identifiers import FieldId
from gateway.policy.compile import compile_policy
from gateway.policy.compiled import Policy
from gateway.policy.document import load_document
from gateway.policy.proofs import prove


def load_policy(
    files: Mapping[str, str], catalogue: Mapping[FieldId, FieldSpec], as_of: date, division: str = ""
) -> Policy:
    """Load, compile and prove policy files (name to text) for one day and, with its overlays, one division.

    Costs up to a few seconds; never on the hot path. Recompile on
    `compile.next_change`. Raises InvalidDocument; its problems carry `file:line`.
    """
    policy = compile_policy(load_document(files, catalogue), as_of, division)
    failures = prove(policy).failures
    if failures:
        raise InvalidDocument(
            "the policy does not keep what it declares",
            problems=tuple(failure.as_problem(policy) for failure in failures),
        )
    return policy
