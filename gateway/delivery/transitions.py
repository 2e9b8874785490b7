"""From which state may a delivery go to which?

The table of DOMAIN 3.4, with the states of `gateway.model.delivery`:

* `held` waits for a person: who lets it go makes it due, or ends it.
* `due` is tried; a failed try leaves it due, later. It may need a person after all.
* `dead-letter` has used up its tries; an operator drives it again, or it ends.
* `acknowledged` says that the recipient's system has it; the recipient's people may
  still take the case on, decline it or tell what they did. Each further word on what was done
  is a move of its own. Whoever answers has it, though its system never acknowledged.
* Everything else is an end.

>>> may_move(DeliveryState.DUE, DeliveryState.ACKNOWLEDGED)
True
>>> may_move(DeliveryState.WITHDRAWN, DeliveryState.DUE)
False
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.delivery import DeliveryState

_S = DeliveryState
_ENDED_BY_OTHERS = frozenset({_S.REFUSED, _S.WITHDRAWN, _S.EXPIRED, _S.SUPERSEDED})
_ANSWERS = frozenset({_S.ACCEPTED, _S.DECLINED, _S.ACTED_ON})
_ANSWERED = _ANSWERS | {_S.ACKNOWLEDGED}

MOVES: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    _S.HELD: _ENDED_BY_OTHERS | {_S.DUE},
    _S.DUE: _ENDED_BY_OTHERS | _ANSWERED | {_S.DUE, _S.HELD, _S.DEAD_LETTER},
    _S.DEAD_LETTER: _ENDED_BY_OTHERS | _ANSWERS | {_S.DUE},
    _S.ACKNOWLEDGED: _ANSWERS,
    _S.ACCEPTED: frozenset({_S.ACTED_ON}),
    _S.DECLINED: frozenset(),
    _S.ACTED_ON: frozenset({_S.ACTED_ON}),
    _S.REFUSED: frozenset(),
    _S.WITHDRAWN: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.SUPERSEDED: frozenset(),
}

HOLDING_UP: frozenset[DeliveryState] = frozenset({_S.HELD, _S.DUE})
"""States in which a delivery makes the later ones of its lane wait; a dead letter does not."""


def may_move(before: DeliveryState, after: DeliveryState) -> bool:
    return after in MOVES[before]


def is_repetition(before: DeliveryState, after: DeliveryState) -> bool:
    """Whether asking for `after` asks for what is already so: the same end, or an acknowledgement of what was answered since."""
    if after in (_S.DUE, _S.HELD, _S.ACTED_ON):
        return False
    return before is after or (after is _S.ACKNOWLEDGED and before in _ANSWERED)
