"""Messages are stranded when nothing flows and the queue counts more than its readers hold, look after look."""

from gateway.engines.rabbitmq.management import CheckedOut
from gateway.engines.rabbitmq.stranded import LOOKS, Stranded


def looks(stranded, *counts):
    """What was found at each look at one queue."""
    return [dict(stranded.look({"q": CheckedOut(*one)} if one else {})) for one in counts]


def test_what_nobody_holds_look_after_look_is_found_and_the_least_of_it_is_said():
    assert looks(Stranded(3), (20, 0), (25, 2), (22, 1), (22, 3)) == [{}, {}, {"q": 20}, {"q": 19}]


def test_one_look_at_which_everything_is_held_begins_anew():
    assert looks(Stranded(3), (20, 0), (20, 0), (20, 20), (20, 0), (20, 0)) == [{}] * 5
    assert looks(Stranded(3), (20, 0), (20, 0), None, (20, 0), (20, 0)) == [{}] * 5


def test_a_queue_of_which_something_was_acknowledged_meanwhile_is_only_busy():
    stranded = Stranded(LOOKS)
    assert looks(stranded, *((32, 30, acknowledged) for acknowledged in range(100))) == [{}] * 100
    assert looks(stranded, *[(32, 30, 100)] * LOOKS)[-1] == {"q": 2}


def test_a_remedy_is_counted_until_it_helps_and_then_looked_at_anew():
    stranded = Stranded(2)
    looks(stranded, (5, 0), (5, 0))
    assert stranded.begin_remedy("q") == 0
    assert looks(stranded, (5, 0), (5, 0)) == [{}, {"q": 5}]
    assert stranded.begin_remedy("q") == 1
    looks(stranded, (0, 0))
    assert looks(stranded, (5, 0), (5, 0)) == [{}, {"q": 5}]
    assert stranded.begin_remedy("q") == 0
