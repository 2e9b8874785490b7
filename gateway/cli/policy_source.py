"""Which policy does a command speak of?

Everywhere the same word, WHICH: a folder; `shipped`, the pack of this build; `in-force`, the one the running gateway
decides by; or the beginning of a hash (eight characters or more) of a pack in the gateway's store.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from gateway.cli.frame import Admin, config_option, json_option, operator_option, settings_of, speaks
from gateway.engines.files.documents import default_catalogue
from gateway.engines.files.packs import pack_files
from gateway.model.errors import InvalidDocument
from gateway.model.identifiers import FieldId
from gateway.policy.compiled import Policy
from gateway.policy.load import load_policy
from gateway.policy.space import SpaceTooLarge

P = ParamSpec("P")
T = TypeVar("T")

CHINA = timezone(timedelta(hours=8))
SHIPPED, IN_FORCE = "shipped", "in-force"
WORDS = "策略：目录、shipped、in-force 或哈希开头 a folder, shipped, in-force, or the beginning of a hash"

which_argument = click.argument("which", metavar="[WHICH]", default=SHIPPED)
which_option = click.option("--policy", "which", metavar="WHICH", default=SHIPPED, help=f"{WORDS} [shipped 随附]")
as_of_option = click.option(
    "--as-of",
    "as_of",
    default=lambda: datetime.now(CHINA).date().isoformat(),
    help="生效日 day YYYY-MM-DD [今天 today]",
)
division_option = click.option(
    "--division",
    default=None,
    help="区划代码，含其地方补充 division code, with its overlays [网关的区划 the gateway's for what it holds, none for files]",
)


@dataclass(frozen=True, slots=True)
class Source:
    """The documents of a pack, name to text, and the division they are read for where none is named."""

    files: Mapping[str, str]
    division: str
    folder: Path | None = None  # where they lie, None for what a gateway holds
    is_shipped: bool = False

    def load(self, day: date, division: str | None) -> Policy:
        return _loaded(tuple(self.files.items()), day, self.division if division is None else division)


async def source_of(which: str, operator: str, config: Path) -> Source:
    """Raises InvalidDocument for a folder that is no pack, Unavailable where a gateway is needed and none runs."""
    if which == SHIPPED:
        return Source({f"policies/{name}": text for name, text in pack_files().items()}, "", None, True)
    folder = Path(which)
    if folder.is_dir():
        return Source({f"{folder}/{name}": text for name, text in pack_files(folder).items()}, "", folder)
    if which != IN_FORCE and not _is_hash(which):
        raise InvalidDocument(
            f"there is no policy `{which}`", remedy="name a folder, shipped, in-force or the beginning of a hash"
        )
    settings = settings_of(config)
    files = await Admin(settings, operator).call("GET", f"/admin/v1/policies/{which}/files")
    return Source(files, settings.region)


@dataclass(frozen=True, slots=True)
class Asking:
    """What every question about a policy says: of which one, for which day and division, by whom, and how the answer is wanted."""

    which: str
    day: date
    division: str | None
    operator: str
    config: Path
    as_json: bool

    async def source(self, which: str = "") -> Source:
        return await source_of(which or self.which, self.operator, self.config)

    async def policy(self) -> Policy:
        """The policy itself, loaded and proved here."""
        return (await self.source()).load(self.day, self.division)

    def gateway(self) -> Admin:
        """The gateway that runs here, asked as this person."""
        return Admin(settings_of(self.config), self.operator)


Option = Callable[[Callable[..., Any]], Callable[..., Any]]


def asks(
    *which: Option, has_json: bool = True
) -> Callable[[Callable[Concatenate[Asking, P], Coroutine[Any, Any, T]]], Callable[..., T]]:
    """The options of a question about a policy, taken together as one `Asking`; `which` is how the policy is named, if it is."""
    options = (
        *which,
        as_of_option,
        division_option,
        operator_option,
        config_option,
        *((json_option,) if has_json else ()),
    )

    def over(command: Callable[Concatenate[Asking, P], Coroutine[Any, Any, T]]) -> Callable[..., T]:
        @wraps(command)
        async def run(
            *args: Any, as_of: str, division: str | None, operator: str, config: Path, which: str = "", as_json: bool = False,
            **own: Any,
        ) -> T:  # fmt: skip
            return await command(Asking(which, day_of(as_of), division, operator, config, as_json), *args, **own)

        made: Callable[..., T] = speaks(run)
        for option in reversed(options):
            made = option(made)
        return made

    return over


@lru_cache(4)
def _loaded(files: tuple[tuple[str, str], ...], day: date, division: str) -> Policy:
    """The same documents for the same day and place are proved once in a process."""
    return load_policy(dict(files), default_catalogue().fields, day, division)


def asked_of_gateway(which: str) -> dict[str, Any]:
    """The same word for a call that the gateway answers: the files themselves, or the name it knows."""
    if which == SHIPPED or Path(which).is_dir():
        return {"files": pack_files(None if which == SHIPPED else Path(which))}
    return {"policy": which}


async def files_to_hand_in(which: str, operator: str, config: Path) -> dict[str, Any]:
    """The documents themselves, with names relative to their folder: what is handed in is known by its hash."""
    asked = asked_of_gateway(which)
    return asked if "files" in asked else {"files": dict((await source_of(which, operator, config)).files)}


def day_of(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("YYYY-MM-DD", param_hint="--as-of") from error


def field_of(policy: Policy, text: str) -> FieldId:
    if text not in policy.group_of:
        raise click.BadParameter(f"没有这个字段 no such field: {text}", param_hint="FIELD")
    return FieldId(text)


def pairs_of(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise click.BadParameter("事实=值 fact=value", param_hint="--fact")
        found[name] = value
    return found


def lists_circumstances(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Circumstances too many to list are an error of its own, with what to do."""

    @wraps(command)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await command(*args, **kwargs)
        except SpaceTooLarge as error:
            raise click.ClickException(f"情形过多，无法逐一列出 too many circumstances to list: {error}") from error

    return run


def _is_hash(text: str) -> bool:
    bare = text.removeprefix("sha256:")
    return len(bare) >= 8 and set(bare) <= set("0123456789abcdef")
