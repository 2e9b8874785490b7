"""What does an adapter say besides its answer: in logs, warnings, and on the two standard streams?

Nothing of a message may be told there: log lines are kept longer, and read by more people, than messages are.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any


class _Ear(logging.Handler):
    def __init__(self, heard: io.StringIO) -> None:
        super().__init__(logging.NOTSET)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.write(self.format(record) + "\n")


@contextmanager
def overheard() -> Iterator[io.StringIO]:
    """All that is said while it lasts, at every level. Not for use in several threads at once."""
    heard = io.StringIO()
    root, ear = logging.getLogger(), _Ear(heard)
    levels = {logger: logger.level for logger in (root, *_loggers())}
    root.addHandler(ear)
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(heard), redirect_stderr(heard), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield heard
            heard.write("\n".join(str(warning.message) for warning in warned))
    finally:
        root.removeHandler(ear)
        for logger, level in levels.items():
            logger.setLevel(level)


def told(heard: io.StringIO, values: Iterable[str]) -> bool:
    """Whether one of these values of a message stands in what was said."""
    said = heard.getvalue()
    return bool(said) and any(value in said for value in values)


def _loggers() -> list[logging.Logger]:
    known: dict[str, Any] = logging.root.manager.loggerDict
    return [logger for logger in known.values() if isinstance(logger, logging.Logger)]
