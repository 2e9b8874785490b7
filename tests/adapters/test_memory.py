"""Does hostile input make a codec hold more than its limits say? In a process that may not grow beyond them."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = r"""
import io, json, resource, sys, zipfile
from adapters.kit.workbook_writer import write_xlsx
from adapters.registry import load_adapters
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import office

ADAPTERS = load_adapters()


def workbook(piece, times, before=b"", after=b""):
    # a plain workbook with a long second row, or many, written piece by piece
    plain = write_xlsx("", ["姓名", "性别"], [], "一")
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            body = old.read(name)
            with new.open(name, "w", force_zip64=True) as member:
                if "sheet1" in name:
                    head, body = body.split(b"</sheetData>")
                    member.write(head + before)
                    for _ in range(times):
                        member.write(piece)
                    body = after + b"</sheetData>" + body
                member.write(body)
    return out.getvalue()


MIB = 1024 * 1024
HOSTILE = {
    "json": [b"[" * 100_000, b'{"a":' * 100_000, b"[" + b"{}," * (4 * MIB) + b"{}]", b'{"head":{' + b'"a":1,' * (2 * MIB) + b'"b":1}}'],
    "jsonl": [b"{}\n" * (5 * MIB)],
    "xml": [b"<a>" * 100_000, b"<REQUEST><HEAD/>" + b"<a/>" * (3 * MIB) + b"</REQUEST>",
            b"<l>" + b"<REQUEST><HEAD/></REQUEST>" * 500_000 + b"</l>", b'<REQUEST><HEAD a="' + b"x" * (12 * MIB) + b'"/></REQUEST>'],
    "cda": [b'<ClinicalDocument xmlns="urn:hl7-org:v3">' + b"<recordTarget><patientRole/></recordTarget>" * 300_000 + b"</ClinicalDocument>"],
    "fhir": [b'{"resourceType":"Bundle","entry":[' + b'{"resource":{"resourceType":"Patient"}},' * 300_000 + b"{}]}"],
    "hl7": [b"MSH|^~\\&|" + b"~" * (15 * MIB), b"MSH|^~\\&|\r" + b"PID|1\r" * (2 * MIB), b"MSH|^~\\&|\r" * (1 * MIB), b"\x0bMSH|^~\\&|" + b"^" * (8 * MIB) + b"\x1c\r"],
    "csv": [b"," * (15 * MIB), "姓名,性别\r\n".encode() + b"a,b\r\n" * (2 * MIB), b'"' * (15 * MIB), b"\n" * (15 * MIB)],
    "xlsx": [workbook(b"x" * MIB, 160, b'<row r="2"><c r="A2" t="inlineStr"><is><t>', b"</t></is></c></row>"), workbook(b'<row r="2"/>' * 30_000, 50),
             workbook(b"<c/>" * MIB, 30, b'<row r="2">', b"</row>"), workbook(b"<m/>" * MIB, 30)],
}
WHERE = {
    "json": ("civil_affairs", "application/json"), "jsonl": ("judiciary", "application/jsonl"), "xml": ("police", "application/xml"),
    "cda": ("health", "application/cda+xml"), "fhir": ("health", "application/fhir+json"), "hl7": ("health", "application/hl7-v2"),
    "csv": ("education", "text/csv"), "xlsx": ("womens_federation", "application/octet-stream"),
}

with open("/proc/self/statm") as statm:
    now = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + int(sys.argv[1]) * MIB, -1))
told = {}
for codec, inputs in HOSTILE.items():
    agency, media_type = WHERE[codec]
    for number, raw in enumerate(inputs):
        items = ADAPTERS[agency].decode(raw, media_type, office(agency), {}).items
        told[f"{codec} {number}"] = [items[0].problems[0].code if isinstance(items[0], RefusedItem) else "accepted", len(items)]
        del items
print(json.dumps(told))
"""


def test_no_codec_grows_beyond_what_its_limits_allow():
    """Three quarters of a gibibyte for inputs of at most 16 MiB, the largest the gateway takes."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "768"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert len(told) >= 18
    assert all(code != "accepted" or count <= 100_000 for code, count in told.values()), told
    # Where the parser itself runs out of memory it tells of a broken workbook.
    assert [told[f"xlsx {number}"][0] for number in (2, 3)] == ["too-large", "too-large"], told
