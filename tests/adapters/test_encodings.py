"""Does a message say the same in whichever charset its system writes, declared, wrongly declared or not at all?"""

from __future__ import annotations

import pytest

from adapters.kit.text import decode_text, encode_gb18030, wide_charset
from adapters.kit.xml_codec import XmlCodec
from adapters.registry import load_adapters
from gateway.model.notice import SubmittedNotice
from gateway.simulation.scenarios import messages
from tests.adapters.builders import office
from tests.support.samples import needs_samples, sample_files

ADAPTERS = load_adapters()
TEXTUAL = [message for message in messages(3, 3) if message.file.body[:2] != b"PK"]
CHARSETS = {
    "utf-8": str.encode,
    "utf-8 with a mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "gb18030": encode_gb18030,
    "gb18030 with a mark": lambda text: b"\x84\x31\x95\x33" + encode_gb18030(text),
    "utf-16 little-endian with a mark": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "utf-16 big-endian with a mark": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-16 little-endian": lambda text: text.encode("utf-16-le"),
    "utf-16 big-endian": lambda text: text.encode("utf-16-be"),
    "utf-32 with a mark": lambda text: text.encode("utf-32"),
}


def said(agency: str, raw: bytes, media_type: str) -> list:
    items = ADAPTERS[agency].decode(raw, media_type, office(agency), {}).items
    assert all(isinstance(item, SubmittedNotice) for item in items), items
    return [(item.type, item.data, item.reporter) for item in items]


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_message_says_the_same_in_every_charset(charset):
    agencies = set()
    for message in TEXTUAL:
        body, media_type = message.file.body, message.file.media_type
        text = decode_text(body, "gb18030" if message.agency == "police" else None).value
        assert said(message.agency, CHARSETS[charset](text), media_type) == said(message.agency, body, media_type)
        agencies.add(message.agency)
    assert len(agencies) == 7  # all but the federation, which writes workbooks


@needs_samples
@pytest.mark.samples
@pytest.mark.parametrize("charset", [name for name in CHARSETS if name.startswith(("gb", "utf-16"))])
def test_a_foreign_hl7_message_says_the_same_in_every_charset(charset):
    for path in sample_files("hl7v2"):
        text = path.read_bytes().decode("utf-8-sig")
        assert said("health", CHARSETS[charset](text), "application/hl7-v2") == said(
            "health", path.read_bytes(), "application/hl7-v2"
        )


@pytest.mark.parametrize("declared", ["UNICODE", "UNICODE UTF-8", "GB 18030-2000", "8859/1", "UTF-16", "", "没有"])
def test_whatever_msh_18_declares_the_name_of_the_child_is_read(declared):
    message = (
        f"MSH|^~\\&|HIS|H|W|4|20260301094500||ORU^R01|N-1|P|2.4|||AL|NE||{declared}\rPID|1||||李小测||20150301|1\r"
    )
    for raw in (message.encode(), encode_gb18030(message)):
        if declared in ("8859/1",):
            continue  # every byte is a character there: what is declared has to be believed
        ((_, data, _),) = said("health", raw, "application/hl7-v2")
        assert data["persons"][0]["name"] == "李小测", declared


def test_a_nul_or_two_in_damaged_text_do_not_make_it_utf_16():
    assert wide_charset(b"MSH|^~\\&|" + b"\0" + b"A" * 300) is None
    assert wide_charset("李小测".encode("utf-16-le") * 9) is None  # nothing tells it from anything else
    assert wide_charset("a,b\r\n".encode("utf-16-be")) == "utf-16-be"


def test_a_private_character_whose_code_is_another_now_comes_back_from_gb18030():
    codec = XmlCodec(("A",), charset="GB18030")
    names = "李\ue5e5\ue78d\ue864\U0002cc56\u36c3\ufe10\u9fbb\u3000\ue000"
    (item,) = codec.read(codec.write({"XM": names, "@XM": names}), "application/xml")
    assert item.tree == {"XM": names, "@XM": names}
    assert item.is_careful
