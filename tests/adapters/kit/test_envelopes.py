"""What of an XML document is a message of ours: one, several in an envelope, or none, whatever a name looks like?"""

from __future__ import annotations

from base64 import encodebytes

import pytest
from lxml import etree

from adapters.health import ADAPTER as HEALTH
from adapters.police import ADAPTER as POLICE
from adapters.procuratorate import ADAPTER as PROCURATORATE
from gateway.model.notice import SubmittedNotice
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import office, refusal

ONE = "<REQUEST><HEAD><XXLX>WCNRTB</XXLX><XLH>{0}</XLH></HEAD><BODY><SHR><XM>李小测{0}</XM></SHR></BODY></REQUEST>"
BOTH = ONE.format(1) + ONE.format(2)
SOAP = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body>{}</s:Body></s:Envelope>'
DOCUMENT = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="{0}"/><recordTarget><patientRole><patient><name>李小测{0}</name>'
    '<birthTime value="20150301"/></patient></patientRole></recordTarget></ClinicalDocument>'
)


def names(adapter, raw: str, media_type: str = "application/xml") -> list[str]:
    items = adapter.decode(raw.encode(), media_type, office(str(adapter.agency)), {}).items
    assert all(isinstance(item, SubmittedNotice) for item in items), items
    return [item.data["persons"][0]["name"] for item in items]


def escaped(text: str) -> str:
    element = etree.Element("arg0")
    element.text = text
    return etree.tostring(element, encoding="unicode")


@pytest.mark.parametrize(
    "raw",
    [
        f"<REQUESTS>{BOTH}</REQUESTS>",
        SOAP.format(f"<submit>{BOTH}</submit>"),
        SOAP.format("".join(f"<submit>{escaped(ONE.format(n))}</submit>" for n in (1, 2))),
        SOAP.format(escaped(f"<list>{BOTH}</list>")),
        SOAP.format(f"<submit><![CDATA[<list>{BOTH}</list>]]></submit>"),
    ],
)
def test_every_message_of_an_envelope_is_read(raw):
    assert names(POLICE, raw) == ["李小测1", "李小测2"]


def test_each_message_of_an_envelope_has_positions_of_its_own():
    raw = f"<REQUESTS>{ONE.format(1)}{ONE.format(2).replace('<BODY>', '<BODY><XYZ>1</XYZ>')}</REQUESTS>"
    first, second = POLICE.decode(raw.encode(), "application/xml", office("police"), {}).items
    assert [gap.position for gap in first.gaps] == []
    assert [gap.position for gap in second.gaps] == ["/REQUEST[2]/BODY/XYZ"]
    assert (first.native_id, second.native_id) == ("1", "2")


def test_every_clinical_document_of_an_envelope_is_read():
    raw = SOAP.format(f"<docs>{DOCUMENT.format(1)}{DOCUMENT.format(2)}</docs>")
    assert names(HEALTH, raw, "application/cda+xml") == ["李小测1", "李小测2"]


@pytest.mark.parametrize(
    ("adapter", "raw"),
    [
        (
            POLICE,
            '<Bundle xmlns="http://hl7.org/fhir"><entry><request><method value="POST"/></request></entry></Bundle>',
        ),
        (POLICE, "<REQUEST><method>POST</method></REQUEST>"),
        (POLICE, "<log><rows>12</rows></log>"),
        (PROCURATORATE, '<configuration><root level="info"><appender-ref ref="a"/></root></configuration>'),
    ],
)
def test_a_word_that_many_formats_have_makes_no_message_of_ours(adapter, raw):
    item = refusal(adapter, raw.encode(), str(adapter.agency))
    assert isinstance(item, RefusedItem)
    assert item.problems[0].code == "not-this-format"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize("head", ['<?xml version="1.0" encoding="{}"?>', ""])
def test_a_document_as_base64_in_a_registry_request_is_read(charset, head):
    """As document registers take them: `<Document id="d">PD94bW...</Document>`, in lines of 76."""
    raw = (head.format(charset.removesuffix("-sig")) + DOCUMENT.format(1)).encode(charset)
    (name,) = names(
        HEALTH, f'<r:Submit xmlns:r="urn:r"><r:Document>\n{encodebytes(raw).decode()}</r:Document></r:Submit>'
    )
    assert name == "李小测1"


@pytest.mark.parametrize(
    ("text", "code"),
    [("PD94bW?", "not-this-format"), (encodebytes(b"<?xml version='1.0'?><!DOCTYPE a><a/>").decode(), "xml-dtd")],
)
def test_base64_that_is_none_or_holds_a_dtd_is_no_document(text, code):
    (item,) = HEALTH.decode(f"<Document>{text}</Document>".encode(), "application/xml", office("health"), {}).items
    assert isinstance(item, RefusedItem)
    assert item.problems[0].code == code


@pytest.mark.parametrize(
    ("raw", "position"),
    [
        ('<?xml version="1.0" encoding="GB2312"?><REQUEST><测试>测</REQUEST>', "line 1, column 64"),
        ('\n<?xml version="1.0"\n?>\n<REQUEST>\n<测试>测&nbsp;</测试></REQUEST>', "line 5, column 12"),
        (SOAP.format("<in><![CDATA[<?xml version='1.0'?>\n<REQUEST></A>]]></in>"), "text of /ENVELOPE/BODY/IN, line 2, column 14"),
    ],
)  # fmt: skip
def test_broken_xml_is_refused_at_the_line_and_column_of_what_came(raw, position):
    problem = refusal(POLICE, raw.encode("gb18030"), "police").problems[0]
    assert (problem.code, problem.position) == ("not-xml", position)
