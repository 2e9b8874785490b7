"""What does another library find in a native message? People and codes, read without the adapters.

csv, openpyxl, lxml, json and hl7 read the bytes; what they find is compared with what our adapters say. Nothing
here comes from `adapters/`.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from dataclasses import dataclass, field

import hl7
import openpyxl
from lxml import etree

SEX = {"男": "1", "女": "2", "M": "1", "F": "2", "male": "1", "female": "2", "1": "1", "2": "2"}
RELATION = {"父亲": "51", "母亲": "52", "祖父": "61", "祖母": "62"}


@dataclass
class Someone:
    """One person as the bytes say: `id_no`, `born` and `age` in the sender's spelling."""

    name: str = ""
    alias: str = ""
    sex: str = ""
    id_no: str = ""
    born: str = ""
    age: str = ""
    phone: str = ""
    relation: str = ""
    is_child: bool = False

    @property
    def plain_id(self) -> str:
        return unicodedata.normalize("NFKC", self.id_no).strip().upper()

    @property
    def plain_born(self) -> str:
        """ISO, as much as is there."""
        parts = re.findall(r"\d+", self.born)
        if len(parts) == 1:
            digits = parts[0]
            parts = [part for part in (digits[:4], digits[4:6], digits[6:8]) if part]
        return "-".join(part.zfill(2) for part in parts)


@dataclass
class Independent:
    """One notice as another reader sees it: people, coded facts by canonical path, the caller, words that must not travel."""

    people: list[Someone] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    caller: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)


def _known(**facts: object) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value not in ("", None, [], [""])}


def police(raw: bytes) -> list[Independent]:
    root = etree.fromstring(raw)

    def text(path: str) -> str:
        return root.findtext(path) or ""

    found = Independent(caller=[text("BODY/JQ/BJR_XM"), text("BODY/JQ/BJR_LXDH")])
    for child in root.findall("BODY/SHR"):
        get = {element.tag: element.text or "" for element in child}.get
        found.people.append(
            Someone(get("XM", ""), get("HM", ""), get("XBDM", ""), get("GMSFHM", ""), get("CSRQ", ""), get("NL", ""), is_child=True)
        )  # fmt: skip
    for mark in "YE":
        if text(f"BODY/JHR/JHR{mark}XM"):
            found.people.append(
                Someone(
                    text(f"BODY/JHR/JHR{mark}XM"), id_no=text(f"BODY/JHR/JHR{mark}GMSFHM"),
                    phone=text(f"BODY/JHR/JHR{mark}LXDH"), relation=text(f"BODY/JHR/JHR{mark}JHGX"),
                )
            )  # fmt: skip
    found.facts = _known(
        **{"report.police_call_no": text("BODY/JQ/JJBH"), "harm.narrative": text("BODY/JQ/JYJQ"),
           "harm.m_flags": [text("BODY/JQ/QZBGQX")], "urgency": int(text("BODY/JQ/JJCD")),
           "police.warning_letter_no": text("BODY/CZ/GJSBH"), "police.case_no": text("BODY/CZ/ASJBH")}
    )  # fmt: skip
    return [found]


def civil_affairs(raw: bytes) -> list[Independent]:
    document = json.loads(raw)
    out = []
    for message in document if isinstance(document, list) else [document]:
        data = message["data"]
        found = Independent(caller=[data["etzrdh"]])
        found.people.append(
            Someone(data.get("etxm", ""), data.get("ethm", ""), data["xb"], data["etsfzh"], data.get("csrq", ""), data.get("nl", ""), is_child=True)
        )  # fmt: skip
        for one in data.get("jtcy", ()):
            relation = RELATION.get(one["gx"], one["gx"])
            found.people.append(Someone(one["xm"], id_no=one["sfzh"], phone=one["lxdh"], relation=relation))
        found.facts = {"harm.narrative": data["sjqhqk"], "child.difficulty": data["etlb"]} | _known(
            **{"child.school.name": data.get("jdxx"), "child.residence.region": data["xzqh"]}
        )
        out.append(found)
    return out


def education(raw: bytes) -> list[Independent]:
    text = raw.decode("utf-8-sig") if raw.startswith(b"\xef\xbb\xbf") else raw.decode("gb18030")
    out = []
    for row in csv.DictReader(io.StringIO(text, newline="")):
        found = Independent(caller=[row["报告人"], row["报告人电话"]])
        found.people.append(
            Someone(row["姓名"], sex=SEX[row["性别"]], id_no=row["身份证件号"], born=row["出生日期"], age=row["年龄"], is_child=True)
        )  # fmt: skip
        for number in range(1, 5):
            if row.get(f"成员{number}姓名"):
                relation = RELATION[row[f"成员{number}关系"]]
                found.people.append(
                    Someone(row[f"成员{number}姓名"], phone=row[f"成员{number}联系电话"], relation=relation)
                )
        left_behind = ["D31"] if row["是否留守儿童"] == "是" else []
        found.facts = _known(
            **{"harm.m_flags": [row["情形代码"]], "harm.narrative": row["事件简述"], "child.difficulty": left_behind,
               "child.school.code": row["学校标识码"], "child.student_no": row["学籍号"]}
        )  # fmt: skip
        out.append(found)
    return out


def womens_federation(raw: bytes) -> list[Independent]:
    sheet = openpyxl.load_workbook(io.BytesIO(raw)).active
    rows = [["" if cell is None else cell for cell in row] for row in sheet.iter_rows(values_only=True)]
    out = []
    for cells in rows[2:]:
        row = dict(zip(rows[1], cells, strict=True))
        name = str(row["未成年人姓名/化名"])
        alias = name.removesuffix("(化名)") if name.endswith("(化名)") else ""
        found = Independent(caller=[row["求助人称呼"], row["求助人电话"]])
        found.people.append(
            Someone("" if alias else name, alias, SEX[row["性别"]], str(row["身份证号"]), row["出生日期"], row["年龄"], is_child=True)
        )  # fmt: skip
        harms = ["H21"] if "家暴" in row["事由类别"] else []
        consent = {"是": "given", "否": "refused"}.get(row["是否同意转介"])
        found.facts = _known(
            **{"harm.types": harms, "harm.narrative": row["简要情况"], "consent.status": consent,
               "urgency": ("一般", "紧急", "特急").index(row["紧急程度"])}
        )  # fmt: skip
        out.append(found)
    return out


def judiciary(raw: bytes) -> list[Independent]:
    out = []
    for line in raw.decode().splitlines():
        message = json.loads(line)
        data = message["data"]
        found = Independent()
        if "wcnzn" in data:
            father = data["xb"] == "1"
            found.people.append(
                Someone(data["xm"], "", data["xb"], data["sfzhm"], data["csrq"], relation="51" if father else "52")
            )
            found.people += [Someone(child["xm"], id_no=child["sfzhm"], is_child=True) for child in data["wcnzn"]]
            found.forbidden = [data["dxbh"], data["xqqsrq"], data["xqzzrq"]]
            found.facts = {"custody.from": data["xqqsrq"][:7], "custody.until": data["xqzzrq"][:7]}
        else:
            found.people.append(Someone(data["sqrxm"], id_no=data["sqrsfzh"], is_child=True))
            found.facts = {"legal_aid.case_no": data["fyslh"], "legal_aid.decision": "granted"}
        out.append(found)
    return out


_FY = "{urn:x-fyb:wcnr:1}"


def courts(raw: bytes) -> list[Independent]:
    root = etree.fromstring(raw)
    found = Independent()
    for party in root.findall(_FY + "DSR"):
        get = {element.tag.removeprefix(_FY): element.text or "" for element in party}.get
        is_child = party.get("lx") == "WCNR" or (
            party.get("lx") == "SQR" and "DLSQ" in {e.tag.removeprefix(_FY) for e in party}
        )
        found.people.append(
            Someone(get("XM", ""), "", get("XB", ""), get("SFZH", ""), get("CSRQ", ""), relation=get("GX", ""), is_child=is_child)
        )  # fmt: skip
    home = "judgment" if root.find(_FY + "AJLX").get("dm") == "0315" else "order"
    number = root.findtext(_FY + "AH").replace("(", "（").replace(")", "）")
    inner = unicodedata.normalize("NFKC", number.strip("（）")).replace("(", "（").replace(")", "）")
    found.facts = {
        f"{home}.case_no": "（" + inner,
        f"{home}.document.digest": "sm3:" + root.find(_FY + "WS").get("sm3"),
    }
    terms = [term.get("dm") for term in root.findall(_FY + "CS")]
    if terms:
        validity = root.find(_FY + "YXQ")
        found.facts |= {
            "order.valid_from": validity.get("q"),
            "order.valid_until": validity.get("z"),
            "order.terms": terms,
        }
    return [found]


def procuratorate(raw: bytes) -> list[Independent]:
    out = []
    for row in etree.fromstring(raw).findall("DATA/ROW"):
        get = {element.tag: element.text or "" for element in row}.get
        found = Independent(forbidden=[get("AJMC", "")])
        found.people.append(
            Someone(get("BHR_XM", ""), "", get("BHR_XB", ""), get("BHR_SFZH", ""), get("BHR_CSRQ", ""), is_child=True)
        )
        found.facts = {"harm.summary": get("QKSM"), "harm.m_flags": [get("QZBGQX")], "subject": get("BMSAH")}
        out.append(found)
    return out


def health_v2(raw: bytes) -> list[Independent]:
    out = []
    text = raw.decode()
    for message in ("MSH" + part for part in text.split("MSH")[1:]):
        parsed = hl7.parse(message)
        pid = parsed.segment("PID")
        resident = [str(rep[0]) for rep in pid[3] if len(rep) > 4 and str(rep[4]) == "NI"]
        found = Independent(caller=[str(parsed.segments("OBX")[0][16])])
        found.people.append(
            Someone(
                str(pid[5]).replace("无名氏", ""),
                "",
                SEX[str(pid[8])],
                resident[0] if resident else "",
                str(pid[7]),
                is_child=True,
            )
        )
        try:
            kin = parsed.segments("NK1")
        except KeyError:
            kin = []
        for one in kin:
            found.people.append(Someone(str(one[2]), phone=str(one[5]), relation=str(one[3][0][0])))
        found.facts = {"harm.injury.text": str(parsed.segments("OBX")[1][5]), "harm.injury.codes": ["T74.1"]}
        try:
            report = parsed.segment("ZMR")
            found.facts |= {"harm.m_flags": [str(report[1])], "report.police_call_no": str(report[6])}
        except KeyError:
            pass
        out.append(found)
    return out


def health_fhir(raw: bytes) -> list[Independent]:
    found = Independent()
    for entry in json.loads(raw)["entry"]:
        resource = entry["resource"]
        kind = resource["resourceType"]
        if kind in ("Patient", "RelatedPerson"):
            names = {name.get("use"): name["text"] for name in resource.get("name", ())}
            relation = resource.get("relationship", [{"coding": [{"code": ""}]}])[0]["coding"][0]["code"]
            number = next(
                (i["value"] for i in resource.get("identifier", ()) if i.get("system", "").endswith("10011.1.3")), ""
            )
            phone = next((t["value"] for t in resource.get("telecom", ())), "")
            found.people.append(
                Someone(names.get("official", ""), "", SEX[resource["gender"]], number, resource.get("birthDate", ""),
                        phone=phone, relation=relation, is_child=kind == "Patient")
            )  # fmt: skip
        elif kind == "Condition":
            found.facts["harm.injury.codes"] = [resource["code"]["coding"][0]["code"]]
        elif kind == "Flag":
            found.facts["harm.m_flags"] = [resource["code"]["coding"][0]["code"]]
        elif kind == "Observation":
            found.facts["harm.injury.text"] = resource["valueString"]
    return [found]


_V3 = {"v": "urn:hl7-org:v3"}


def health_cda(raw: bytes) -> list[Independent]:
    root = etree.fromstring(raw)

    def first(node: etree._Element, path: str) -> str:
        hits = node.xpath(path, namespaces=_V3)
        return str(hits[0]) if hits else ""

    found = Independent()
    patient = root.xpath("v:recordTarget/v:patientRole", namespaces=_V3)[0]
    found.people.append(
        Someone(
            first(patient, "v:patient/v:name/text()"), "", first(patient, "v:patient/v:administrativeGenderCode/@code"),
            first(patient, "v:id[@root='2.16.156.10011.1.3']/@extension"), first(patient, "v:patient/v:birthTime/@value"), is_child=True,
        )
    )  # fmt: skip
    for kin in root.xpath("v:participant/v:associatedEntity[v:associatedPerson]", namespaces=_V3):
        found.people.append(
            Someone(
                first(kin, "v:associatedPerson/v:name/text()"), id_no=first(kin, "v:id[@root='2.16.156.10011.1.3']/@extension"),
                phone=first(kin, "v:telecom/@value").removeprefix("tel:"), relation=first(kin, "v:code/@code"),
            )
        )  # fmt: skip
    codes = root.xpath("//v:observation/v:value/@code", namespaces=_V3)
    found.facts = {"harm.injury.codes": [str(code) for code in codes]}
    return [found]


READERS = {
    "police": police, "civil_affairs": civil_affairs, "education": education, "womens_federation": womens_federation,
    "judiciary": judiciary, "courts": courts, "procuratorate": procuratorate, "application/hl7-v2+er7": health_v2,
    "application/fhir+json": health_fhir, "application/cda+xml": health_cda,
}  # fmt: skip


def read(agency: str, media_type: str, raw: bytes) -> list[Independent]:
    return (READERS.get(media_type) or READERS[agency])(raw)
