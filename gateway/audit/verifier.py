"""The offline verifier: does this proof hold, with this file, these keys, and nothing else?

Needs no network, no gateway and no package; `cryptography` is used when it is
there (and needed for ML-DSA-44 lines, which are left aside and named otherwise).
`ops/build-verifier.py` joins this module and those it imports into one file,
`hutong_verify.py`, which a court's expert can read from top to bottom.

Exit codes: 0 verified, 1 proven wrong, 2 unreadable, 3 stale or too few witnesses.
Keys come from `--policy` (a C2SP tlog-policy file) or `--key` (verifier keys), never
from what is being checked.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from gateway.audit.bundle import Checked, check_bundle, check_report
from gateway.audit.checkpoint import Checkpoint, Cosignature, unchecked_keys
from gateway.audit.export import check_records, read_records
from gateway.audit.findings import NotEnough, Unreadable, Wrong, decode_base64
from gateway.audit.leaf import entry_bytes
from gateway.audit.merkle import EMPTY_ROOT, leaf_hash
from gateway.audit.note import Note, parse_vkey
from gateway.audit.proof import verify_consistency, verify_inclusion
from gateway.audit.proof_text import parse_hashes, parse_proof
from gateway.audit.tiles import WIDTH, tile_path, tile_width
from gateway.audit.trust import NONE, TrustPolicy, check_checkpoint, parse_trust_policy
from gateway.audit.whole_log import Chunk, verify_chunk, verify_log

VERIFIED, WRONG, UNREADABLE, NOT_ENOUGH = 0, 1, 2, 3
Answer = dict[str, Any]


def read_file(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as cause:
        raise Unreadable(f"`{path}` cannot be read: {cause.strerror}") from None


_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html)[\s>]", re.IGNORECASE
)  # browsers save it in their own spelling
_ATTACHED = re.compile(rb'href="data:application/json;base64,([A-Za-z0-9+/=]*)"')


def read_evidence(path: str) -> bytes:
    """A bundle or report, or the one that is attached to a printable page. What the page itself says proves nothing."""
    raw = read_file(path)
    if raw.startswith(b"%PDF"):
        raise Unreadable("a PDF carries no evidence: ask for the page itself (HTML) or for its evidence")
    if not _PAGE.match(raw):
        return raw
    attached = _ATTACHED.findall(raw)
    if len(attached) != 1:
        raise Unreadable("a page with no evidence attached, or with several")
    return decode_base64(attached[0])


def read_signed(path: str) -> bytes:
    """A checkpoint or a proof."""
    raw = read_file(path)
    if _PAGE.match(raw):
        raise Unreadable("a printable page: check it with `report` or `bundle`, which read the evidence attached to it")
    return raw


def policy_of(arguments: argparse.Namespace) -> TrustPolicy:
    if arguments.policy:
        return parse_trust_policy(read_file(arguments.policy))
    keys = tuple(parse_vkey(text) for text in arguments.key)
    if not keys:
        raise Unreadable("give --policy or --key: what is checked brings no keys of its own")
    return TrustPolicy(keys, {}, {}, NONE, {})


def oldest(arguments: argparse.Namespace) -> int | None:
    if arguments.max_age is None:
        return None
    now = int(time.time()) if arguments.now is None else arguments.now
    return int(now) - int(arguments.max_age)


def head_answer(checkpoint: Checkpoint, lines: Sequence[Cosignature], note: Note | None, policy: TrustPolicy) -> Answer:
    answer: Answer = {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": b64encode(checkpoint.root).decode(),
        "signed_by": [
            {"name": line.key.name, "type": line.key.type, **({"at": line.at} if line.at else {})} for line in lines
        ],
    }
    left = sorted(key.name for key in unchecked_keys(note, policy.keys)) if note else []
    return {**answer, "not_checked": left} if left else answer


def read_head(raw: bytes, arguments: argparse.Namespace) -> tuple[Checkpoint, Answer]:
    policy = policy_of(arguments)
    checkpoint, note, lines = check_checkpoint(raw, policy, origin=arguments.origin, not_before=oldest(arguments))
    return checkpoint, head_answer(checkpoint, lines, note, policy)


def verify_head(arguments: argparse.Namespace) -> Answer:
    return read_head(read_signed(arguments.file), arguments)[1]


def verify_proof(arguments: argparse.Namespace) -> Answer:
    proof = parse_proof(read_signed(arguments.file))
    checkpoint, answer = read_head(proof.checkpoint, arguments)
    if arguments.entry is not None:
        leaf = leaf_hash(read_file(arguments.entry))
    elif arguments.record_root is not None:
        leaf = leaf_hash(entry_bytes(decode_base64(arguments.record_root.encode(), 32)))
    else:
        raise Unreadable("give --entry or --record-root: what is it that should be in the log?")
    if not verify_inclusion(proof.index, checkpoint.size, leaf, proof.path, checkpoint.root):
        raise Wrong("the entry is not in the signed tree", proof.index)
    return {**answer, "index": proof.index}


def verify_growth(arguments: argparse.Namespace) -> Answer:
    old, _ = read_head(read_signed(arguments.old), argparse.Namespace(**{**vars(arguments), "max_age": None}))
    new, answer = read_head(read_signed(arguments.new), arguments)
    if old.origin != new.origin:
        raise Wrong("checkpoints of two logs")
    if old.size > new.size:
        raise Wrong("the newer checkpoint is of a smaller tree: its end was cut off", new.size)
    path = parse_hashes(read_file(arguments.proof).split(b"\n")[:-1]) if arguments.proof else ()
    if old.size == 0:
        holds = not path and old.root == EMPTY_ROOT
    else:
        holds = verify_consistency(old.size, new.size, old.root, new.root, path)
    if not holds:
        if old.size == new.size and old.root != new.root:
            raise Wrong("two signed trees of one size: the log was forked, and these two notes prove it")
        raise Wrong("the newer tree does not continue the older one, or the proof is of another pair")
    return {**answer, "old_size": old.size}


class Folder:
    """Reads a log's files under one folder; a tile that became full meanwhile serves for its partial one."""

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def __call__(self, path: str) -> bytes:
        try:
            return (self.root / path).read_bytes()
        except OSError:
            raise Unreadable(f"`{path}` is missing or cannot be read") from None


def _worker(job: tuple[str, int, int, int]) -> Chunk | tuple[str, str, int | None]:
    folder, first, last, size = job
    try:
        return verify_chunk(Folder(folder), first, last, size)
    except Wrong as cause:
        return "wrong", str(cause), cause.index
    except Unreadable as cause:
        return "unreadable", str(cause), None


def in_parallel(folder: str, size: int, jobs: int) -> Callable[[Sequence[tuple[int, int]]], Iterator[Chunk]]:
    def run(ranges: Sequence[tuple[int, int]]) -> Iterator[Chunk]:
        with Pool(jobs) as pool:
            for result in pool.imap(_worker, [(folder, low, high, size) for low, high in ranges]):
                if isinstance(result, Chunk):
                    yield result
                    continue
                kind, message, index = result
                raise Wrong(message, index) if kind == "wrong" else Unreadable(message)

    return run


class Leaves:
    """Leaf hashes by index, from the tiles of level 0 already verified."""

    def __init__(self, folder: Folder, size: int) -> None:
        self.folder, self.size = folder, size
        self.number, self.tile = -1, b""

    def __getitem__(self, index: int) -> bytes:
        number, offset = divmod(index, WIDTH)
        if number != self.number:
            self.number, self.tile = number, self.folder(tile_path(0, number, tile_width(0, number, self.size)))
        return self.tile[offset * 32 : offset * 32 + 32]


def verify_files(arguments: argparse.Namespace) -> Answer:
    folder = Folder(arguments.folder)
    raw = read_file(arguments.checkpoint) if arguments.checkpoint else folder("checkpoint")
    checkpoint, answer = read_head(raw, arguments)
    plain = argparse.Namespace(**{**vars(arguments), "max_age": None})
    older = [read_head(read_file(path), plain)[0] for path in arguments.old]
    if any(one.origin != checkpoint.origin for one in older):
        raise Wrong("an older checkpoint of another log")
    many = arguments.jobs > 1 and checkpoint.size > 50_000
    verify_log(
        folder, checkpoint, older, in_parallel(arguments.folder, checkpoint.size, arguments.jobs) if many else None
    )
    if not arguments.records:
        return answer
    lines: Iterable[bytes] = read_file(arguments.records).splitlines(keepends=True)
    coverage = check_records(read_records(lines), Leaves(folder, checkpoint.size), checkpoint.size)
    if coverage.missing and not arguments.part:
        left = f"{len(coverage.missing)} leaves have no record here, the first is leaf {coverage.missing[0]}"
        raise NotEnough(f"{left}: left out, or kept from you; --part accepts a part of the records")
    return {
        **answer,
        "records_opened": coverage.opened,
        "leaves_without_record": len(coverage.missing),
        **({"first_leaf_without_record": coverage.missing[0]} if coverage.missing else {}),
        "slots_closed": coverage.closed_slots,
        "erasures": coverage.erasures,
    }


def bundle_answer(checked: Checked) -> Answer:
    rows = [
        {
            "index": proven.index,
            "at": proven.record.at,
            "event": proven.record.event,
            "id": proven.record.event_id,
            **dict(proven.record.values),
            **({"not_shown": proven.record.hidden} if proven.record.hidden else {}),
            "persons": [dict(slot.values) for slot in proven.record.slots if slot is not None],
        }
        for proven in checked.records
    ]
    return {
        **head_answer(checked.checkpoint, checked.cosignatures, None, TrustPolicy((), {}, {}, NONE, {})),
        "records": rows,
    }


def verify_bundle(arguments: argparse.Namespace) -> Answer:
    raw, policy = read_evidence(arguments.file), policy_of(arguments)
    return bundle_answer(check_bundle(raw, policy, origin=arguments.origin, not_before=oldest(arguments)))


def verify_report(arguments: argparse.Namespace) -> Answer:
    raw, policy = read_evidence(arguments.file), policy_of(arguments)
    checked = check_report(raw, policy, origin=arguments.origin, not_before=oldest(arguments))
    if checked.joined_elsewhere and not arguments.alone:
        where = ", ".join(map(str, checked.joined_elsewhere))
        raise NotEnough(
            f"leaf {where} says that somebody else on record is the same person, whose report is not here: "
            "left out, or erased; --alone accepts this one's records by themselves"
        )
    return {**bundle_answer(checked), "complete": not checked.joined_elsewhere}


def arguments_of(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="离线核验护通交换日志的证明。 / Verify proofs of a Hutong exchange log offline.",
        epilog="退出码 exit codes: 0 核验通过 verified · 1 证明不成立 proven wrong · 2 无法读取 unreadable · "
        "3 不足：已过期、见证不足或有缺漏 not enough: stale, too few witnesses, or something left out",
    )
    parser.add_argument("--json", action="store_true", help="以 JSON 输出 / print what was found as JSON")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], Answer], help_text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=help_text, description=help_text)
        one.add_argument("--policy", help="信任策略文件 / trusted keys and quorum, a tlog-policy file")
        one.add_argument("--key", action="append", default=[], metavar="VKEY", help="可信日志公钥 / a trusted log key")
        one.add_argument("--origin", help="指定日志名称 / the origin the checkpoint must have")
        one.add_argument("--max-age", type=int, metavar="SECONDS", help="见证签名最长时效 / oldest cosignature allowed")
        one.add_argument("--now", type=int, metavar="POSIX", help="代替本机时间 / instead of this machine's clock")
        one.set_defaults(run=run)
        return one

    one = command("checkpoint", verify_head, "检查点 / a signed tree head")
    one.add_argument("file")
    one = command("proof", verify_proof, "收录证明 / an entry is in the log (tlog-proof file)")
    one.add_argument("file")
    one.add_argument("--entry", help="条目文件 / file with the exact entry bytes")
    one.add_argument("--record-root", metavar="BASE64", help="记录根 / the record's root")
    one = command("consistency", verify_growth, "一致性证明 / one checkpoint continues another")
    one.add_argument("old")
    one.add_argument("new")
    one.add_argument("--proof", help="证明文件 / file with one base64 hash a line")
    one = command("log", verify_files, "整本日志 / every entry, tile and the root of a log")
    one.add_argument("folder")
    one.add_argument("--checkpoint", help="指定检查点文件 / instead of FOLDER/checkpoint")
    one.add_argument(
        "--old",
        action="append",
        default=[],
        metavar="NOTE",
        help="他处保存的旧检查点 / an older checkpoint held elsewhere",
    )
    one.add_argument("--records", help="导出的记录 / exported records to open against their leaves")
    one.add_argument("--part", action="store_true", help="只给了部分记录 / the records are a part on purpose")
    one.add_argument("--jobs", type=int, default=1, help="进程数 / processes")
    one = command("bundle", verify_bundle, "证据包 / opened records with their proofs")
    one.add_argument("file", help="证据或附有证据的打印页 / the evidence, or the printable page it is attached to")
    one = command("report", verify_report, "个人报告 / all records about one person, complete")
    one.add_argument("file", help="证据或附有证据的打印页 / the evidence, or the printable page it is attached to")
    one.add_argument(
        "--alone", action="store_true", help="不含经认定为同一人者 / without those found to be the same person"
    )
    return parser


_SAYS = {
    VERIFIED: "核验通过 / verified",
    WRONG: "证明不成立 / PROVEN WRONG",
    UNREADABLE: "无法读取 / unreadable",
    NOT_ENOUGH: "不足：已过期、见证不足或有缺漏 / not enough: stale, too few witnesses, or something left out",
}


def _told(name: str, value: Any) -> Iterator[str]:
    """One line, or for a list of things one line each: an expert reads record by record."""
    if not isinstance(value, list) or not any(isinstance(one, dict) for one in value):
        yield f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        return
    yield f"{name}: {len(value)}"
    for one in value:
        parts = (
            f"{key}={part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)}"
            for key, part in one.items()
            if part not in ([], {})
        )
        yield "  " + "  ".join(parts)


def main(arguments: Sequence[str] | None = None, program: str = "hutong_verify.py") -> int:
    """Run one check; returns the exit code and prints what was found."""
    given = arguments_of(program).parse_args(arguments)
    answer: Answer
    try:
        code, answer = VERIFIED, given.run(given)
    except Wrong as found:
        code, answer = WRONG, {"problem": str(found), **({} if found.index is None else {"index": found.index})}
    except Unreadable as found:
        code, answer = UNREADABLE, {"problem": str(found)}
    except NotEnough as found:
        code, answer = NOT_ENOUGH, {"problem": str(found)}
    except (ValueError, RecursionError):  # a program that ends by itself says 1, which here means proven wrong
        code, answer = UNREADABLE, {"problem": "not in a form that this can read"}
    if given.json:
        text = json.dumps({"result": code, **answer}, ensure_ascii=False, sort_keys=True)
    else:
        text = "\n".join([_SAYS[code], *(line for name, value in answer.items() for line in _told(name, value))])
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough, as `head` does; what was found stays the exit code
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


if __name__ == "__main__":
    sys.exit(main())
