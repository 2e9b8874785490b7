"""Which adapters are there?

Built-ins are named here; others plug in by an entry point of group
`hutong.adapters` whose object is an adapter, or a function without arguments
that makes one. A name that is taken already is refused: nobody replaces an
agency's adapter by installing a package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from gateway.model.errors import InvalidDocument
from gateway.ports.translation import Adapter

GROUP = "hutong.adapters"
BUILT_IN: tuple[str, ...] = (
    "canonical",
    "health",
    "police",
    "civil_affairs",
    "education",
    "womens_federation",
    "judiciary",
    "courts",
    "procuratorate",
)


def load_adapters(plugged_in: Iterable[EntryPoint] | None = None) -> Mapping[str, Adapter]:
    """All adapters by name, built-ins first. Reads mapping documents; call it once, at start.

    Raises InvalidDocument when a mapping is wrong, a package does not load or two adapters share a name.
    """
    found: dict[str, Adapter] = {}
    for name in BUILT_IN:
        adapter: Adapter = import_module(f"adapters.{name}").ADAPTER
        found[adapter.name] = adapter
    for entry in entry_points(group=GROUP) if plugged_in is None else plugged_in:
        adapter = _plugged_in(entry)
        if adapter.name in found:
            raise InvalidDocument(
                f"two adapters are called `{adapter.name}`", remedy="rename the one that is plugged in"
            )
        found[adapter.name] = adapter
    return found


def _plugged_in(entry: EntryPoint) -> Adapter:
    """Whatever an installed package raises at import is told with its name: the node would not start, and whoever
    installed it has to know why."""
    try:
        loaded = entry.load()
        adapter: Adapter = loaded() if callable(loaded) and not hasattr(loaded, "decode") else loaded
    except Exception as broken:
        package = entry.dist.name if entry.dist is not None else entry.value
        told = broken.problems if isinstance(broken, InvalidDocument) else ()
        raise InvalidDocument(
            f"the adapter `{entry.name}` of package `{package}` does not load: {type(broken).__name__}: {broken}",
            remedy="修正或卸载该软件包 / mend or uninstall that package",
            problems=told,
        ) from broken
    return adapter
