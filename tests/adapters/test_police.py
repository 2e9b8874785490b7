"""Does the police format hold with everything that comes over the boundary platform (DOMAIN 2.2)?"""

from __future__ import annotations

import pytest

from adapters.kit.text import encode_gb18030
from adapters.police import ADAPTER
from gateway.ports.translation import RefusedItem
from tests.adapters.builders import decode_one, office, refusal

MESSAGE = """<?xml version="1.0" encoding="GB18030"?><REQUEST><HEAD><FSDW_GAJGJGDM>440113540000</FSDW_GAJGJGDM><XXLX>WCNRTB</XXLX>
<FSSJ>20260301103015</FSSJ><XLH>2026030100001</XLH></HEAD><BODY><JQ><JJBH>4401135400002026030100087</JJBH><BJFSDM>1</BJFSDM>
<JQLBDM>0101</JQLBDM><BJSJ>20260301095900</BJSJ><JYJQ>邻居听见孩子哭喊</JYJQ><BJR_XM>报警人甲</BJR_XM><BJR_XBDM>2</BJR_XBDM>
<BJR_LXDH>13900000000</BJR_LXDH></JQ><SHR><XM>李小测</XM><CYZJDM>111</CYZJDM><GMSFHM>99999920150301001
6</GMSFHM><XBDM>1</XBDM><MZDM>1</MZDM><CSRQ>20150301000000</CSRQ><HJDZ_XZQHDM>440113</HJDZ_XZQHDM></SHR>
<JHR><JHRYXM>李某</JHRYXM><JHRYJHGX>51</JHRYJHGX><JHREXM>王某</JHREXM><JHREJHGX>52</JHREJHGX></JHR>
<CZ><CZJGDM>04</CZJGDM><GJSBH>穗番公(某)告诫字〔2026〕8号</GJSBH><ASJBH>A4401135400002026030001</ASJBH></CZ></BODY></REQUEST>"""


def test_the_documented_message_is_read_and_the_caller_is_in_the_vault():
    notice = decode_one(ADAPTER, encode_gb18030(MESSAGE.replace("1001\n6", "10016")), "police")
    assert notice.reporter == {"name": "报警人甲", "sex": "2", "phone": "13900000000"}
    assert "报警人甲" not in str(notice.data)
    assert notice.data["police"]["status"] == "warning_letter"
    child, father, mother = notice.data["persons"]
    assert (child["id_no"], child["birth_date"], child["ethnicity"]) == ("999999201503010016", "2015-03-01", "01")
    assert (father["relation"], mother["relation"], mother["of"]) == ("51", "52", "p1")
    assert [(gap.code, gap.position) for gap in notice.gaps] == [("dropped", "/REQUEST/BODY/JQ/JQLBDM")]


PLAIN = MESSAGE.replace('<?xml version="1.0" encoding="GB18030"?>', "").replace("1001\n6", "10016")


@pytest.mark.parametrize(
    ("raw", "gap"),
    [
        (PLAIN.encode(), None),
        (encode_gb18030(PLAIN), None),
        (b"\xef\xbb\xbf" + PLAIN.encode(), None),
        (PLAIN.lower().replace("wcnrtb", "WCNRTB").replace("a4401", "A4401").encode(), None),
        (('<?xml version="1.0" encoding="GB18030"?>' + PLAIN).encode(), "charset"),
        (encode_gb18030('<?xml version="1.0" encoding="UTF-8"?>' + PLAIN), "charset"),
        (('<?XML version="1.0"?>' + PLAIN).encode(), "xml-declaration"),
        (
            f"<s:Envelope xmlns:s='urn:s'><s:Body><m>{PLAIN.replace('<', '&lt;')}</m></s:Body></s:Envelope>".encode(),
            None,
        ),
        (f"<a><b><![CDATA[{PLAIN}]]></b></a>".encode(), None),
        (
            PLAIN.replace("<REQUEST>", '<x:REQUEST xmlns:x="urn:x">').replace("</REQUEST>", "</x:REQUEST>").encode(),
            None,
        ),
        (PLAIN.replace("</XM>", "</XM >").encode(), None),
    ],
)
def test_wrappings_and_charsets_of_real_traffic_read_alike(raw, gap):
    expected = decode_one(ADAPTER, encode_gb18030(MESSAGE.replace("1001\n6", "10016")), "police")
    notice = decode_one(ADAPTER, raw, "police")
    assert notice.data == expected.data
    codes = {found.code for found in notice.gaps} - {"dropped"}
    assert codes == ({gap} if gap else set())


def test_what_never_leaves_the_police_is_dropped_and_named():
    text = PLAIN.replace("<JYJQ>", "<ZCCL>勘查笔录</ZCCL><XYRGS>供述</XYRGS><JYJQ>")
    notice = decode_one(ADAPTER, text.encode(), "police")
    assert "勘查笔录" not in str(notice)
    assert "供述" not in str(notice)
    positions = [gap.position for gap in notice.gaps if gap.code == "dropped"]
    assert positions[-2:] != []
    assert {"/REQUEST/BODY/JQ/ZCCL", "/REQUEST/BODY/JQ/XYRGS"} <= set(positions)


@pytest.mark.parametrize(
    ("minor", "guardian", "sex", "relation"),
    [
        ("20", "02", "1", "51"),
        ("30", "02", "2", "52"),
        ("20", "12", None, "52"),
        ("41", "01", "1", "61"),
        ("20", "51", None, "60"),
    ],
)
def test_relations_to_a_household_head_are_converted(minor, guardian, sex, relation):
    kin = f"<JHR><JHRYXM>某</JHRYXM>{f'<JHRYXBDM>{sex}</JHRYXBDM>' if sex else ''}<JHRYYHZGXDM>{guardian}</JHRYYHZGXDM></JHR>"
    text = f"<REQUEST><HEAD><XXLX>WCNRTB</XXLX><XLH>1</XLH></HEAD><BODY><SHR><XM>某</XM><YHZGXDM>{minor}</YHZGXDM></SHR>{kin}</BODY></REQUEST>"
    person = decode_one(ADAPTER, text.encode(), "police").data["persons"][1]
    assert person["relation"] == relation


def test_a_relation_that_does_not_follow_is_a_gap_not_a_guess():
    kin = "<JHR><JHRYXM>某</JHRYXM><JHRYYHZGXDM>20</JHRYYHZGXDM></JHR>"
    text = f"<REQUEST><HEAD><XXLX>WCNRTB</XXLX><XLH>1</XLH></HEAD><BODY><SHR><XM>某</XM><YHZGXDM>41</YHZGXDM></SHR>{kin}</BODY></REQUEST>"
    notice = decode_one(ADAPTER, text.encode(), "police")
    assert "relation" not in notice.data["persons"][1]
    assert "relation-undetermined" in [gap.code for gap in notice.gaps]


def test_the_caption_row_of_an_identity_check_is_nobody():
    raw = """<ROWS><INFO><SBM>0001</SBM></INFO><ROW><GMSFHM>公民身份号码</GMSFHM><XM>姓名</XM></ROW>
    <ROW FSD="440113" YWLX="核查"><GMSFHM>999999201503010016</GMSFHM><XM>李小测</XM></ROW></ROWS>"""
    notice = decode_one(ADAPTER, raw.encode(), "police")
    assert notice.type == "QRY"
    assert notice.data["query"] == {
        "question": "identity",
        "minimal": {"name": "李小测", "id_type": "ID", "id_no": "999999201503010016"},
    }


@pytest.mark.parametrize(("verdict", "code"), [("一致", "match"), ("不一致", "no_match")])
def test_an_identity_answer_in_small_letters_is_read(verdict, code):
    raw = f"""<rows><row><input><gmsfhm>999999201503010016</gmsfhm><xm>李小测</xm></input>
    <output><item><gmsfhm/><result_gmsfhm>一致</result_gmsfhm></item><item><xm/><result_xm>{verdict}</result_xm></item></output></row></rows>"""
    notice = decode_one(ADAPTER, raw.encode(), "police")
    assert (notice.type, notice.data["answer"]) == ("ANS", {"code": code})


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN.replace("<XM>", "<XM a=“1”>").encode(),
        PLAIN[:-9].encode(),
        b"",
        b"\x00",
        ("<REQUEST>" * 300 + "</REQUEST>" * 300).encode(),
        b'<!DOCTYPE a [<!ENTITY b "c">]><REQUEST>&b;</REQUEST>',
        b'<!-- x --><!doctype a SYSTEM "file:///etc/passwd"><REQUEST/>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><REQUEST/>'.encode("utf-16"),
    ],
)
def test_what_cannot_be_read_is_refused_with_position_and_remedy(raw):
    item = refusal(ADAPTER, raw, "police")
    assert item.position
    assert item.problems[0].remedy


def test_no_value_of_a_message_stands_in_gaps_or_refusals():
    spoiled = PLAIN.replace("20150301000000", "生日不详").replace("<MZDM>1<", "<MZDM>火星族<").replace("10016", "10017")
    notice = decode_one(ADAPTER, spoiled.encode(), "police")
    text = " ".join(f"{gap.code} {gap.position} {gap.message}" for gap in notice.gaps)
    assert {"date-form", "unmapped-code", "check-digit"} <= {gap.code for gap in notice.gaps}
    assert not any(word in text for word in ("生日不详", "火星族", "99999920"))


def test_masked_values_are_named_and_not_taken():
    notice = decode_one(ADAPTER, PLAIN.replace("999999201503010016", "*******").encode(), "police")
    assert "id_no" not in notice.data["persons"][0]
    assert "masked-value" in [gap.code for gap in notice.gaps]


def test_an_unknown_kind_is_taken_as_a_report_and_named():
    decoded = ADAPTER.decode(PLAIN.replace("WCNRTB", "NEUES").encode(), "application/xml", office("police"), {})
    assert not isinstance(decoded.items[0], RefusedItem)
    assert decoded.items[0].type == "RPT"
    assert "unknown-kind" in [gap.code for gap in decoded.items[0].gaps]
