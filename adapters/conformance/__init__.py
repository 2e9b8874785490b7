"""Does an adapter keep the promises every adapter makes? For the built-ins, and for anybody's own.

`run(adapter, releases=..., bodies=..., samples=...)` tries every check and says what it found; it needs no gateway,
no network and no test framework. `hutong adapter check NAME` runs it from the command line, and a package's own tests
may call it:

    from adapters.conformance import run
    from adapters.conformance.bodies import example_bodies
    from gateway.simulation.releases import everything_but

    def test_my_adapter_conforms():
        outcome = run(MY_ADAPTER, everything_but, example_bodies(), samples=[(MESSAGE, "text/x-mine")])
        assert [check.name for check in outcome if check.failed] == []
"""

from adapters.conformance.report import Check, Finding
from adapters.conformance.runner import CHECKS, run
from adapters.conformance.trial import Sample

__all__ = ["CHECKS", "Check", "Finding", "Sample", "run"]
