"""The command line. Each subcommand lives in a file of its own and is imported when it is called."""

from __future__ import annotations

import importlib
from typing import Any

import click

from gateway import __version__
from gateway.cli.wrong_usage import in_both_languages

# name -> (module, attribute, one line)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("demo", "demo", "八个单位演示情景 S1 · eight simulated agencies exchange scenario S1"),
    "init": ("init", "init", "建立网关 · make a gateway: settings, keys, store"),
    "serve": ("serve", "serve", "运行节点 · run a node"),
    "migrate": ("migrate", "migrate", "升级存储 · bring the store to this version"),
    "move": ("move", "move", "迁入集群 · from the embedded store to a cluster's database, verified"),
    "backup": ("backup", "backup", "备份 · copy data or keys, also while the gateway runs"),
    "restore": ("backup", "restore", "恢复 · put a backup back where nothing is"),
    "doctor": ("doctor", "doctor", "自检 · check settings, keys, clock, store"),
    "office": ("office", "office", "单位管理 · add, list, show, suspend, resume, rotate-key"),
    "submit": ("submit", "submit", "报送 · push a file as an office"),
    "sent": ("sent", "sent", "已报 · what became of the notices an office has sent"),
    "bulk": ("bulk", "bulk", "批量文件 · list, show, rows of bulk files"),
    "pull": ("pull", "pull", "收取 · fetch what waits for an office"),
    "relay": ("relay", "relay", "转达 · have a message passed on through a handle of a release"),
    "agent": ("agent", "agent", "代理 · sign, forward and fetch on the agency's side: MLLP, file drop, inbox"),
    "case": ("case", "case", "个案 · notices and deliveries of a case, no content"),
    "backlog": ("backlog", "backlog", "投递积压 · what waits for each office, and since when"),
    "dead-letter": ("dead_letter", "dead_letter", "死信 · list, show, retry"),
    "adapter": ("adapter", "adapter", "适配器 · list, check, decode, encode, unmapped"),
    "simulate": ("simulate", "simulate", "合成案例 · synthetic families and scenarios in all native formats, seeded"),
    "policy": (
        "policy",
        "policy",
        "披露策略 · check, test, explain, compare, submit, approve, activate, rollback, replay",
    ),
    "role": ("role", "role", "人员角色 · grant, revoke, list"),
    "hold": ("hold", "hold", "取证冻结 · show or release a forensic hold of the log"),
    "erase": ("erase", "erase", "删除个人信息 · erase a person, with a second one's approval"),
    "legal-hold": ("legal_hold", "legal_hold", "证据保全 · set or lift a legal hold"),
    "consent": ("consent", "consent", "同意 · record, withdraw, show"),
    "usage": ("usage", "usage", "使用与处置 · tell how a release was used, or that it was destroyed"),
    "key": ("key", "key", "网关密钥 · list the keys this gateway signs with, rotate one, change the root key"),
    "conflict": ("conflict", "conflict", "利益冲突 · clear an unknown conflict of a guardian, with two persons"),
    "person": ("person", "person", "人员 · who may be one person: proposals, join, part, decline, with two officers"),
    "emergency": ("emergency", "emergency", "紧急破例 · list, review"),
    "log": ("log", "log", "交换日志 · search, show, verify"),
    "bench": ("bench", "bench", "测速 · measure against the limits of this machine, in the same run"),
    "witness": ("witness", "witness", "见证 · cosign the exchange log from outside: init, trust, serve, cosign, show"),
}


EXIT_CODES = (
    "退出码 exit codes: 0 完成 done · 1 答案为否 the answer is no, a check failed · 2 用法错误 wrong usage · "
    "3 被拒绝 refused · 4 暂不可用，可重试 unavailable, try again · 5 完整性校验未通过 tampered"
)


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"gateway.cli.{module}"), attribute)
        return command

    def make_context(self, *given: Any, **more: Any) -> click.Context:
        with in_both_languages():
            return super().make_context(*given, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with in_both_languages():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("命令 Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.command(
    cls=_Lazy,
    help="护通 Hutong：保护未成年人的跨部门个案通报网关。\n\nAn interagency case-notice gateway for the protection of children.",
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="hutong")
def main() -> None:
    pass
