"""hutong office: who takes part, with which keys, and who may not for now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from gateway.cli.frame import Admin, acts, config_option, json_option, operator_option, settings_of, show, speaks, table
from gateway.crypto.signing import SigningKey, new_signing_key, read_public_jwk
from gateway.engines.files.profile import write_profile
from gateway.model.errors import InvalidDocument


@click.group(help="单位管理 · offices of this gateway")
def office() -> None:
    pass


NOTHING = "none"  # as the value of an option: not any

_KEY_HELP = "公钥 public key of the office: JWK, or PEM as `openssl pkey -pubout` writes it"
_ENTRY = (
    click.option("--name-en", help="英文名 English name"),
    click.option("--adapter", help="适配器 adapter, see `hutong adapter list`"),
    click.option("--media-type", help="接收格式，默认为适配器的首选 what it receives; by default its adapter's first"),
    click.option(
        "--queue",
        type=click.Choice(["doorbells", "releases", NOTHING]),
        help="在消息中间件的收件队列：只提示，或加密内容 its inbox at the message broker: bells, or encrypted releases",
    ),
    click.option(
        "--encryption-key",
        type=click.Path(exists=True, path_type=Path),
        help="加密公钥 public P-256 key (JWK or PEM) that releases are encrypted to",
    ),
    click.option("--webhook", help="推送地址；none 为不再推送 https URL to push to; none: no more"),
    click.option(
        "--accept-obligation", "obligations", multiple=True, help="承诺履行的义务，可多次；none 为一项也没有 obligation its system honours, repeatable: see policies/vocabulary.yaml; none: not any"
    ),
    click.option("--agreement", "agreements", multiple=True, help="会签文件编号，可多次；none 为没有 agreement on record, repeatable; none: not any"),
    click.option(
        "--attribute", "attributes", multiple=True, metavar="NAME=VALUE",
        help="属性，可多次；none 为没有 attribute, repeatable; none: not any: contract_until=2026-12-31, log_role=auditor|witness|compliance, school_code=...",
    ),
)  # fmt: skip


def _entry_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What an office's entry says beside its id, name and signing key."""
    for option in reversed(_ENTRY):
        command = option(command)
    return command


def _entry(**given: Any) -> dict[str, Any]:
    """What was given, as the admin API takes it; what was not is left as it is."""
    document = {name: given[name] for name in ("name_zh", "name_en", "adapter", "media_type") if given[name]}
    if given["queue"]:
        document["queue"] = None if given["queue"] == NOTHING else given["queue"]
    if given["webhook"]:
        document["webhook"] = None if given["webhook"] == NOTHING else {"url": given["webhook"]}
    if given["obligations"]:
        document["accepts_obligations"] = _listed(given["obligations"])
    if given["agreements"]:
        document["agreements"] = _listed(given["agreements"])
    if given["attributes"]:
        pairs = [one.partition("=") for one in _listed(given["attributes"])]
        if not all(name and sign and value for name, sign, value in pairs):
            raise InvalidDocument("an attribute is NAME=VALUE")
        document["attributes"] = {name: value for name, _, value in pairs}
    return document


def _listed(given: tuple[str, ...]) -> list[str]:
    """`none`, alone, is the empty list: what is not given at all stays as it is."""
    return [] if given == (NOTHING,) else list(given)


def _encryption_key(file: Path | None) -> dict[str, Any] | None:
    return None if file is None else {**_read_key(file), "use": "enc"}


def _new_key(key_file: Path | None, profile: Path | None) -> tuple[SigningKey | None, dict[str, Any]]:
    """The key an office signs with: its own public key, or a fresh one for a profile that is made here."""
    if key_file is not None:
        return None, _read_key(key_file)
    if profile is not None:
        key = new_signing_key()
        return key, key.public().jwk()
    raise InvalidDocument(
        "an office needs a key of its own",
        remedy="give --key FILE, its public key (openssl genpkey -algorithm ed25519 -out KEY.pem; "
        "openssl pkey -in KEY.pem -pubout -out FILE), or --profile DIR to have one made here",
    )


def _read_key(file: Path) -> dict[str, Any]:
    try:
        return read_public_jwk(file.read_bytes())
    except ValueError as broken:
        raise InvalidDocument(
            f"{file} holds no public key: a JWK, or PEM",
            remedy="write the public part of KEY.pem: openssl pkey -in KEY.pem -pubout -out FILE",
        ) from broken


def _signing(shown: Any) -> str:
    """The kid of the newest key that an office signs with."""
    return str([key["kid"] for key in shown["keys"] if key["use"] == "sig"][-1])


@office.command("add", help="登记单位 · enrol an office. ID 如 police.440113；已登记的用 change、rotate-key")
@click.argument("id_", metavar="ID")
@click.option("--name", "name_zh", required=True, help="单位全称 full Chinese name")
@click.option("--key", "key_file", type=click.Path(exists=True, path_type=Path), help=_KEY_HELP)
@click.option(
    "--profile", type=click.Path(path_type=Path), help="生成密钥与配置到此目录 make a key and a profile there"
)
@_entry_options
@config_option
@operator_option
@json_option
@speaks
async def add(
    id_: str, key_file: Path | None, profile: Path | None, encryption_key: Path | None, config: Path, operator: str, as_json: bool, **given: Any
) -> None:  # fmt: skip
    settings = settings_of(config)
    key, jwk = _new_key(key_file, profile)
    encrypts_to = _encryption_key(encryption_key)
    document = {"id": id_, "keys": [jwk, *([] if encrypts_to is None else [encrypts_to])], **_entry(**given)}
    added = await Admin(settings, operator).call("POST", "/admin/v1/offices", document)
    if key is not None and profile is not None:
        write_profile(profile, id_, settings.public_url, key)
    show(added) if as_json else click.echo(f"已登记 added {added['id']} {added['name_zh']} kid {_signing(added)}")


@office.command("change", help="变更单位 · change some of an office's entry: what is given replaces, the rest stays")
@click.argument("id_", metavar="ID")
@click.option("--name", "name_zh", help="单位全称 full Chinese name")
@_entry_options
@acts
async def change_(admin: Admin, id_: str, encryption_key: Path | None, **given: Any) -> None:
    document = _entry(**given)
    if (encrypts_to := _encryption_key(encryption_key)) is not None:
        document["encryption_key"] = encrypts_to
    show(await admin.call("PATCH", f"/admin/v1/offices/{id_}", document))


@office.command("list", help="列出单位 · all offices")
@json_option
@acts
async def list_(admin: Admin, as_json: bool) -> None:
    offices = await admin.call("GET", "/admin/v1/offices")
    if as_json:
        show(offices)
    else:
        columns = {"id": "单位 office", "name_zh": "名称 name", "state": "状态 state", "adapter": "适配器 adapter"}
        table(offices, columns)


@office.command("show", help="查看单位 · one office with its keys")
@click.argument("id_", metavar="ID")
@acts
async def show_(admin: Admin, id_: str) -> None:
    show(await admin.call("GET", f"/admin/v1/offices/{id_}"))


def _state_command(name: str, state: str, text: str) -> None:
    @office.command(name, help=text)
    @click.argument("id_", metavar="ID")
    @click.option("--reason", default="operator", help="原因代码 reason code")
    @acts
    async def change(admin: Admin, id_: str, reason: str) -> None:
        document = {"state": state, "reason": reason}
        changed = await admin.call("POST", f"/admin/v1/offices/{id_}/state", document)
        click.echo(f"{changed['id']}: {changed['state']}")


_state_command("suspend", "suspended", "暂停 · suspend: it may still report, and still gets safety floors")
_state_command("resume", "active", "恢复 · resume")
_state_command("compromise", "compromised", "凭据泄露 · its keys end for good: rotate-key, then resume")


@office.command(
    "vouch", help="确认条目 · take an entry that is in doubt as it stands in the database, once you compared it"
)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@acts
async def vouch(admin: Admin, ids: tuple[str, ...]) -> None:
    for one in ids:
        told = await admin.call("POST", f"/admin/v1/offices/{one}/seal", {})
        click.echo(f"{told['id']}: {told['state']}, kid {_signing(told)}")


@office.command("rotate-key", help="轮换密钥 · add a new key, the old one ends after the overlap")
@click.argument("id_", metavar="ID")
@click.option("--key", "key_file", type=click.Path(exists=True, path_type=Path), help=_KEY_HELP)
@click.option("--profile", type=click.Path(path_type=Path), help="在此目录换钥 make the new key in the profile there")
@click.option("--overlap-days", default=30.0, help="新旧并用天数 days both keys verify")
@config_option
@operator_option
@speaks
async def rotate_key(
    id_: str, key_file: Path | None, profile: Path | None, overlap_days: float, config: Path, operator: str
) -> None:
    settings = settings_of(config)
    key, jwk = _new_key(key_file, profile)
    document = {"jwk": jwk, "overlap_days": overlap_days}
    changed = await Admin(settings, operator).call("POST", f"/admin/v1/offices/{id_}/keys", document)
    if key is not None and profile is not None:
        write_profile(profile, id_, settings.public_url, key)
    click.echo(f"{changed['id']}: kid {_signing(changed)}")
