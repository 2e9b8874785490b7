"""How do the systems of police, courts, procuratorate, civil affairs and justice write a case?

Written from the samples of DOMAIN 2.1, 2.2 and 2.5 to 2.7, without the adapters' mappings: whatever reads these
files is tested against another hand than its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from lxml import etree

from gateway.simulation.families import Edge, Individual, full_width
from gateway.simulation.telling import NativeFile, Telling

_FY = "urn:x-fyb:wcnr:1"
_STATION = "440113540000"
_UNIT = "440113"
_FROM_PARENT = {"51": {"1": "20", "2": "30"}, "52": {"1": "20", "2": "30"}}
_LABELS = {"51": "父亲", "52": "母亲", "61": "祖父", "62": "祖母"}
_ADDRESSEES = {"QZBG": "GA", "LAJD": "GA", "JCJY": "JY", "CXJH": "MZ", "DCJH": "MZ", "SFJZ": "MZ"}
_ARTICLES = {
    "QZBG": "强制报告备案", "LAJD": "立案监督", "JCJY": "检察建议书", "CXJH": "撤销监护建议", "DCJH": "督促监护令", "SFJZ": "司法救助",
}  # fmt: skip


def police(telling: Telling) -> NativeFile:
    """XML of upper-case pinyin, GB18030. One `SHR` per child; the caller stands in `BJR_*`."""
    family, event = telling.family, telling.event
    root = etree.Element("REQUEST")
    _fields(
        etree.SubElement(root, "HEAD"),
        FSDW_GAJGJGDM=_STATION, XXLX="WCNRTB", FSSJ=f"{telling.at:%Y%m%d%H%M%S}", XLH=telling.number,
    )  # fmt: skip
    body = etree.SubElement(root, "BODY")
    _fields(
        etree.SubElement(body, "JQ"),
        JJBH=f"4401135400{telling.at:%Y%m%d}{family.number:07d}", BJFSDM="1", BJSJ=f"{event.happened:%Y%m%d%H%M%S}",
        JYJQ=event.narrative, QZBGQX=event.m_flag, JJCD=str(event.urgency), BJR_XM=event.caller.name,
        BJR_LXDH=event.caller.phone,
    )  # fmt: skip
    for child in family.children:
        _fields(
            etree.SubElement(body, "SHR"),
            XM=child.name, HM=child.alias, **_police_document(child), XBDM=child.sex, MZDM="01",
            CSRQ=child.born.replace("-", ""), NL=child.age, HJDZ_XZQHDM=family.region[:6], XZZ_XZQHDM=family.region,
            XZZ_DZMC=family.address,
        )  # fmt: skip
    if family.kin:
        guardians = etree.SubElement(body, "JHR")
        for mark, one in zip("YE", family.kin, strict=False):
            _fields(
                guardians,
                **{f"JHR{mark}XM": one.name, f"JHR{mark}GMSFHM": one.id_no, f"JHR{mark}LXDH": one.phone,
                   f"JHR{mark}JHGX": one.relation},
            )  # fmt: skip
    if telling.kind == "CZ":
        year = telling.at.year
        mark = "（某）" if family.edge is Edge.FULL_WIDTH else "(某)"
        _fields(
            etree.SubElement(body, "CZ"),
            CZJGDM="04", GJSBH=f"穗番公{mark}告诫字〔{year}〕{family.number}号", ASJBH=f"A4401135400{year}03{family.number:06d}",
            LADW_GAJGJGDM=_STATION,
        )  # fmt: skip
    text = etree.tostring(root, encoding="unicode")
    return NativeFile(
        ('<?xml version="1.0" encoding="GB18030"?>' + text).encode("gb18030"), "application/xml", ".police.xml"
    )


def _police_document(child: Individual) -> dict[str, str]:
    return {"CYZJDM": "111", "GMSFHM": child.id_no} if child.id_no else {}


def civil_affairs(telling: Telling) -> NativeFile:
    """JSON with lower-case pinyin initials, one object per child. The `etzr` is the children's director."""
    family, event = telling.family, telling.event
    out: list[dict[str, Any]] = []
    for index, child in enumerate(family.children):
        number = telling.number if index == 0 else f"{telling.number}-{index + 1}"
        head = {"jyh": number, "fsdw": _UNIT, "jssj": f"{telling.at:%Y%m%d%H%M%S}", "ywlx": telling.kind}
        data: dict[str, Any] = {
            "etbh": f"ET{_UNIT}{telling.at.year}{family.number:06d}{index}", "etxm": child.name, "ethm": child.alias, "etsfzh": child.id_no,
            "xb": child.sex, "mz": "01", "csrq": child.born.replace("-", ""), "nl": child.age, "hjqh": family.region[:9],
            "xzqh": family.region, "xzdz": family.address, "etlb": [event.difficulty], "jkzk": "健康", "cjlb": "",
            "jxqk": "小学" if family.school_code else "", "jdxx": family.school_name, "fxdj": event.risk,
            "sjqhqk": event.narrative, "etzr": "测试儿童主任", "etzrdh": event.caller.phone,
            "gxsj": f"{event.happened:%Y%m%d}",
        }  # fmt: skip
        if family.kin:
            data["jhrgx"] = family.kin[family.guardian].relation
            data["jtcy"] = [
                {"gx": _LABELS[one.relation] if family.number % 2 else one.relation, "xm": one.name, "sfzh": one.id_no, "zk": one.state, "lxdh": one.phone}
                for one in family.kin
            ]  # fmt: skip
        data |= _guardianship(telling)
        filled = {name: value for name, value in data.items() if value != "" or name in ("etsfzh", "cjlb")}
        out.append({"head": head, "data": filled})
    document: Any = out[0] if len(out) == 1 else out
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return NativeFile(body, "application/json", ".civil_affairs.json")


def _guardianship(telling: Telling) -> dict[str, str]:
    """What a notice of temporary guardianship (LSJH) or of entrusted care (WTZH) says beside the child's data."""
    family, event = telling.family, telling.event
    since = f"{telling.at:%Y%m%d}"
    until = f"{telling.at.year + 1}{since[4:6]}01"
    if telling.kind == "LSJH":
        return {
            "jhqk": "临时监护", "jhsy": "92-6" if event.m_flag == "M4" else "92-1", "jhqsrq": since, "jhjzrq": until,
            "yqtyr": "民政部门", "jdyj": "调查评估", "jhwsh": f"某民临监〔{telling.at.year}〕{family.number}号",
            "azjg": "测试儿童福利院", "azqh": _UNIT,
        }  # fmt: skip
    if telling.kind == "WTZH":
        carer = {"zhrgx": family.kin[-1].relation} if family.kin else {}
        return {"jhqk": "委托照护", "wtqsrq": since, "wtzzrq": until, "shxhc": "适宜", **carer}
    return {}


def judiciary(telling: Telling) -> NativeFile:
    """JSON Lines. For a guardian in custody `gx` says what the child is of the offender; crime and penalty stand beside it."""
    family, event = telling.family, telling.event
    sent = {
        "bwbh": telling.number,
        "ywlx": telling.kind,
        "fsjg": f"SF{_UNIT}",
        "fssj": f"{telling.at:%Y-%m-%d %H:%M:%S}",
    }
    data: dict[str, Any]
    if telling.kind in ("JHR_ZY", "JHR_JD", "JHR_SF"):
        offender = next((one for one in family.kin if one.state in ("服刑", "戒毒")), family.kin[0])
        carer = family.kin[family.guardian if family.kin[family.guardian] is not offender else 2]
        data = {
            "dxbh": f"SQ{_UNIT}{family.number:08d}", "jzlb": "02", "xm": offender.name, "xb": offender.sex, "sfzhm": offender.id_no,
            "csrq": offender.born, "zm": "04", "ypxf": "03", "xqqsrq": event.months[0] + "-01", "xqzzrq": event.months[1] + "-28",
            "wcnzn": [
                {"xm": child.name or child.alias, "sfzhm": child.id_no, "gx": _FROM_PARENT[offender.relation][child.sex], "xjhr": _LABELS[carer.relation]}
                for child in family.children
            ],
        }  # fmt: skip
    else:
        data = {
            "fyslh": f"穗番法援〔{telling.at.year}〕{family.number}号", "sqrxm": family.child.name or family.child.alias,
            "sqrsfzh": family.child.id_no, "dlrxm": "民政局", "sqrq": str(event.happened.date()), "sxlx": "民事",
            "ay": "申请撤销监护人资格", "sfjs": "1", "zprq": str(telling.at.date()), "lsmc": "测试律师",
            "lslxdh": "10000009999",
        }  # fmt: skip
    line = json.dumps({**sent, "data": data}, ensure_ascii=False, separators=(",", ":"))
    return NativeFile((line + "\n").encode(), "application/jsonl", ".judiciary.jsonl")


def courts(telling: Telling) -> NativeFile:
    """Namespaced XML of code and label pairs: a protection order, or a guardianship judgment for kind `CXPJ`."""
    family, event = telling.family, telling.event
    is_judgment = telling.kind == "CXPJ"
    root = etree.Element(f"{{{_FY}}}AJTB", nsmap={"fy": _FY})
    root.set("fsfy", "粤0113")
    root.set("fssj", f"{telling.at:%Y-%m-%dT%H:%M:%S}")
    root.set("tbbh", telling.number)
    year, kind = telling.at.year, "民特" if is_judgment else "民保令"
    number = f"（{year}）粤0113{kind}{family.number}号"
    _fy(
        root,
        "AH",
        full_width(number) if family.edge is Edge.FULL_WIDTH else number.replace("（", "(").replace("）", ")"),
    )
    _fy(
        root,
        "AJLX",
        "变更监护人案件" if is_judgment else "人身安全保护令申请审查案件",
        dm="0315" if is_judgment else "0332",
    )
    _fy(root, "AY", "申请撤销监护人资格" if is_judgment else "申请人身安全保护令")
    _fy(root, "SLRQ", str(event.happened.date()))
    if is_judgment:
        _fy(root, "JG", "撤销监护人资格", dm="11")
        _fy(root, "SXRQ", str(telling.at.date()))
    else:
        _fy(root, "JJ", bz="1")
        _fy(root, "CCRQ", sj=f"{telling.at:%Y-%m-%dT%H:%M:%S}")
        _fy(root, "JG", "作出", dm="01")
    for index, child in enumerate(family.children):
        party = _party(root, "WCNR" if index or is_judgment else "SQR", child)
        if index == 0 and not is_judgment:
            _fy(party, "DLSQ", "救助管理机构代为申请", dm="JZG")
    for one in family.kin[:1]:
        _party(root, "BSQR", one)
    if is_judgment and family.kin:
        _party(root, "JHR", family.kin[2])
    if not is_judgment:
        for term, where in (("29-1", ""), ("29-2", ""), ("29-4", "学校周边")):
            _fy(root, "CS", dm=term, **({"fw": where} if where else {}))
        _fy(root, "YXQ", q=str(telling.at.date()), z=f"{year}-09-02")
    digest = hashlib.sha256(telling.number.encode()).hexdigest()
    _fy(root, "WS", mc="裁定书.ofd", sm3=digest)
    return NativeFile(etree.tostring(root, encoding="UTF-8", xml_declaration=True), "application/xml", ".courts.xml")


def _party(root: etree._Element, kind: str, one: Individual) -> etree._Element:
    party = _fy(root, "DSR", lx=kind)
    for name, value in (("XM", one.name or one.alias), ("SFZH", one.id_no), ("XB", one.sex), ("GX", one.relation)):
        if value:
            _fy(party, name, value)
    if one.born and not one.id_no:
        _fy(party, "CSRQ", one.born)
    return party


def procuratorate(telling: Telling) -> NativeFile:
    """An XML envelope with one `ROW` per child and the document as base64. `AJMC` names the suspect."""
    family, event = telling.family, telling.event
    root = etree.Element("ROOT")
    stated = {"ID": telling.number, "TYPE": telling.kind, "TIME": f"{telling.at:%Y%m%d%H%M%S}"}
    etree.SubElement(root, "MSG", {**stated, "FROM": f"{_UNIT}JC", "TO": _UNIT + _ADDRESSEES[telling.kind]})
    data = etree.SubElement(root, "DATA")
    content = f"%OFD {telling.number}".encode()
    suspect = family.kin[0].name if family.kin else "无名"
    for child in family.children:
        row = etree.SubElement(data, "ROW")
        _fields(
            row,
            TYSAH=f"{_UNIT}{family.number:010d}", BMSAH=f"某某县院未检受[{telling.at.year}]{_UNIT}{family.number:06d}号",
            AJMC=f"{suspect}涉嫌虐待案", AJLB_BM="0401", CBDW_BM=_UNIT, CBR="检察官测试", XWLX=telling.kind,
            YQHFRQ=f"{telling.at.year}0405", WSLX=_ARTICLES[telling.kind],
        )  # fmt: skip
        if telling.kind == "DCJH":
            _fields(row, WSRQ=f"{telling.at:%Y%m%d}", ZXDW="测试镇人民政府")
        document = etree.SubElement(row, "WSNR", {"ENC": "BASE64"})
        document.text = base64.b64encode(content).decode()
        _fields(
            row, QKSM=event.narrative, QZBGQX=event.m_flag, BHR_XM=child.name or child.alias, BHR_SFZH=child.id_no,
            BHR_XB=child.sex, BHR_CSRQ=child.born.replace("-", ""), BHR_XZZ_XZQHDM=family.region, BHR_XZZ=family.address,
        )  # fmt: skip
    return NativeFile(
        etree.tostring(root, encoding="UTF-8", xml_declaration=True), "application/xml", ".procuratorate.xml"
    )


def _fields(parent: etree._Element, **fields: str) -> None:
    """One element per field that has something to say."""
    for name, text in fields.items():
        if text:
            etree.SubElement(parent, name).text = text


def _fy(parent: etree._Element, name: str, text: str = "", **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{_FY}}}{name}", attributes)
    element.text = text or None
    return element
