"""hutong policy why|who-sees|ceiling: what does a policy say of one field, or of one office?

`why` explains one field of one decision: of facts given by hand, or of a disclosure in the log (`--event`), which the
running gateway opens.
"""

from __future__ import annotations

from typing import Any

import click

from gateway.cli.frame import show, table
from gateway.cli.policy_source import (
    Asking,
    asked_of_gateway,
    asks,
    field_of,
    lists_circumstances,
    pairs_of,
    which_option,
)
from gateway.engines.files.documents import default_catalogue
from gateway.model.access import PRESETS, Facet
from gateway.model.identifiers import FieldId
from gateway.policy import answers
from gateway.policy.facts import facts
from gateway.policy.rows import facet_text
from gateway.policy.vocabulary import Vocabulary

_facts = click.option(
    "--fact", "given", multiple=True, help="事实=值，可多次 fact=value, repeatable; 未给出即未知 left out = unknown"
)
_accept = click.option(
    "--accept", "accepts", multiple=True, help="接收方承诺的义务，all 为全部 obligations accepted; all = every one"
)


def join(group: click.Group) -> None:
    for command in (why, who_sees, ceiling):
        group.add_command(command)


@click.command("why", help="为何看到或看不到一个字段 · why a field is shown or not, and what would change it")
@click.argument("field")
@_facts
@_accept
@click.option("--event", help="日志中的一次披露，取其当时的事实 a disclosure of the log: its own facts and policy")
@click.option("--person", default="", help="该次披露中的人员序号 the person's number in that notice, as p1")
@asks(which_option)
async def why(
    asking: Asking, field: str, given: tuple[str, ...], accepts: tuple[str, ...], event: str | None, person: str
) -> None:
    if event is not None:
        if given or accepts:
            raise click.BadParameter(
                "与 --fact、--accept 不能同用 not together with --fact or --accept", param_hint="--event"
            )
        context = click.get_current_context()
        by_default = context.get_parameter_source("which") is not click.core.ParameterSource.COMMANDLINE
        asked: dict[str, Any] = {} if by_default else asked_of_gateway(asking.which)
        found = await asking.gateway().call(
            "POST", "/admin/v1/policies:why", {"field": field, "event": event, "person": person, **asked}
        )
        vocabulary = None
    else:
        compiled = await asking.policy()
        vocabulary, wanted = compiled.vocabulary, field_of(compiled, field)
        accepted = tuple(vocabulary.obligations) if "all" in accepts else accepts
        told = facts(vocabulary, pairs_of(given), accepts=accepted)
        found = answers.why(told, compiled, wanted)
    show(found) if asking.as_json else _print_why(found, vocabulary)


def _print_why(found: dict[str, Any], vocabulary: Vocabulary | None) -> None:
    click.echo(f"{found['title']}（{found['field']}）：{_text(found['shown'])}")
    if not found["delivers"]:
        click.echo("该通报不送达 the notice is not delivered")
    for mark, name in (("+", "granted_by"), ("-", "cut_by")):
        for rule in found[name]:
            cited = "；".join(rule["citation"])
            click.echo(f"  {mark} {rule['id']} {rule['zh']} / {rule['en']} 〔{cited}〕 {rule['position']}")
    for missed in found["missed"][:5]:
        click.echo(f"  · {missed['id']} 未适用，因为 did not apply because of: {', '.join(missed['facts'])}")
    if found["changes"]:
        click.echo("只改一项事实即会改变 one changed fact would alter it:")
    for change in found["changes"][:12]:
        shown, fact, to = _text(change["shown"]), change["fact"], change["to"]
        if vocabulary is None:
            click.echo(f"  {fact}={to}: {shown}")
        else:
            spec, value = vocabulary.facts[fact], vocabulary.title_of(fact, to)
            click.echo(f"  {spec.title.zh}→{value.zh} / {fact}={to}: {shown}")
    click.echo(found["exact"])


def _text(shown: str | list[str]) -> str:
    """A preset's name or names of facets, in words."""
    if isinstance(shown, str):
        return str(facet_text(PRESETS[shown]))
    return str(facet_text(Facet(sum(Facet[name.upper()] for name in shown))))


@click.command(
    "who-sees", help="谁能看到一个字段 · who sees a field, under which circumstances, where the notice is delivered"
)
@click.argument("field")
@asks(which_option)
@lists_circumstances
async def who_sees(asking: Asking, field: str) -> None:
    compiled = await asking.policy()
    found = answers.who_sees(compiled, field_of(compiled, field))
    if asking.as_json:
        show(found)
        return
    for row in found["rows"]:
        click.echo(f"{row['zh']}\n  {row['en']}")
    click.echo(found["exact"] if found["rows"] else "无人 nobody")


@click.command("ceiling", help="一个单位至多能看到什么 · all that such a recipient could ever get, over all purposes")
@_facts
@asks(which_option)
async def ceiling(asking: Asking, given: tuple[str, ...]) -> None:
    compiled = await asking.policy()
    found = answers.ceiling(compiled, pairs_of(given))
    if asking.as_json:
        show(found)
        return
    catalogue = {**default_catalogue().fields, **compiled.document.catalogue}
    table(
        [
            {"field": one, "zh": catalogue[FieldId(one)].title_zh, "shown": _text(shown)}
            for one, shown in found["fields"].items()
        ],
        {"field": "字段 field", "zh": "名称 title", "shown": "至多 at most"},
    )
    click.echo(found["exact"])
