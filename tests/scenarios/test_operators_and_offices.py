"""What an operator and two offices do on the command line, against a real gateway over real HTTP."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.gateway_process import GatewayProcess

REPORT = """MSH|^~\\&|HIS|12440113XXXXXXXXXX|WCNGW|440113|20260301094500||ORU^R01|{number}|P|2.4|||AL|NE||UNICODE UTF-8
PID|1||MZ000123^^^HOSP^PI~999999201503010016^^^GA^NI||李小测||20150301|M|||测试路^^440113102^^^CN|||||||||||01
NK1|1|王测乙|52^母亲^GB/T4761|x|13800000000
PV1|1|E|急诊^^^||||||||||||||||V20260301-55
OBX|1|CE|DE05.01.024.00^疾病诊断编码^WS||T74.1^躯体虐待^ICD10||||||F
OBX|2|TX|INJ^体表损伤描述||多处瘀伤||||||F
ZMR|M4|20260301093000|1|DOC^主治医师|110||1|0
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    process = GatewayProcess(tmp_path_factory.mktemp("gateway") / "g").start()
    process.add_office("health.440113", "health")
    yield process
    if process.process.poll() is None:
        process.stop()


def office_add(gateway, office, *options, adapter="education", check=False):
    return gateway.here("office", "add", office, "--name", "测试单位", "--adapter", adapter, *options, check=check)


def submit(gateway, number, tmp_path, **changes):
    file = tmp_path / f"{number}.hl7"
    text = REPORT.format(number=number)
    for old, new in changes.items():
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    done = gateway.here(
        "submit", str(file), "--as", "health.440113", "--profile", str(gateway.profiles), "--json", config=False
    )
    return json.loads(done.stdout)


def pull(gateway, office, *options):
    done = gateway.here("pull", "--as", office, "--profile", str(gateway.profiles), "--json", *options, config=False)
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        item, end = decoder.raw_decode(text)
        found.append(item)
        text = text[end:].strip()
    return found


def test_a_handle_that_leads_nowhere_is_told_plainly_on_the_command_line(gateway):
    profile = ("--as", "health.440113", "--profile", str(gateway.profiles))
    refused = gateway.here("relay", "rl-" + "0" * 32, "请回电。", *profile, config=False, check=False)
    assert refused.returncode == 3
    assert "no such handle" in refused.stderr


def test_a_report_for_an_office_nobody_has_enrolled_waits_and_is_delivered_when_it_joins(gateway, tmp_path):
    receipt = submit(gateway, "WJ-1", tmp_path)
    waiting = gateway.here("dead-letter", "held", "police.440113").stdout
    backlog = {one["office"]: one for one in json.loads(gateway.here("backlog", "--json").stdout)}
    assert backlog["police.440113"]["handover"] == "not enrolled"
    assert backlog["police.440113"]["held"] == 1
    assert "region_unresolved" in waiting
    gateway.add_office("police.440113", "police")
    arrived = pull(gateway, "police.440113", "--out", str(tmp_path / "in"))
    assert len(arrived) == 1
    assert [one.suffix for one in (tmp_path / "in").iterdir()] == [".xml"], "named by the format it came in"
    assert "999999201503010016" in arrived[0]["body"]
    shown = json.loads(gateway.here("case", "show", receipt["notice"], "--notice", "--json").stdout)
    states = {one["recipient"]: one["state"] for one in shown[0]["deliveries"]}
    assert states["police.440113"] == "acknowledged"
    told = gateway.here("sent", "--as", "health.440113", "--profile", str(gateway.profiles), config=False).stdout
    assert receipt["notice"] in told and "已收 acknowledged" in told
    cursor = told.rsplit("--since ", 1)[1].strip()
    since = ("--since", cursor, "--profile", str(gateway.profiles))
    assert receipt["notice"] not in gateway.here("sent", "--as", "health.440113", *since, config=False).stdout
    of_one = ("sent", receipt["notice"], "--as", "health.440113", "--profile", str(gateway.profiles), "--json")
    assert json.loads(gateway.here(*of_one, config=False).stdout)["deliveries"][0]["state"] == "acknowledged"
    assert pull(gateway, "police.440113") == []
    profile = ("--as", "police.440113", "--profile", str(gateway.profiles), "--json")
    delivery = arrived[0]["delivery"]
    told = gateway.here("usage", "disposal", f"{delivery}.1", "deleted", *profile, config=False)
    assert json.loads(told.stdout)["receipt"] and json.loads(told.stdout)["delivery"] == delivery
    assert "police.440113" in gateway.here("log", "search", "--event", "disposal_confirmed", "--json").stdout
    other = gateway.here("usage", "use", "0" * 32, "read", *profile, config=False, check=False)
    assert other.returncode == 3 and "no such delivery" in other.stderr


def test_the_same_bytes_get_the_first_receipt_byte_for_byte_after_a_restart_too(gateway, tmp_path):
    first = submit(gateway, "WJ-2", tmp_path)
    assert submit(gateway, "WJ-2", tmp_path) == first
    gateway.kill()
    gateway.start()
    assert submit(gateway, "WJ-2", tmp_path) == first


def test_a_report_under_a_used_id_with_other_bytes_is_accepted_as_new_and_flagged_and_its_retry_is_recognised(
    gateway, tmp_path
):
    first = submit(gateway, "WJ-3", tmp_path)
    other = submit(gateway, "WJ-3", tmp_path, 多处瘀伤="多处新旧瘀伤")
    assert other["notice"] != first["notice"]
    assert "reused-id" in other["flags"]
    assert submit(gateway, "WJ-3", tmp_path, 多处瘀伤="多处新旧瘀伤") == other


def test_a_suspended_office_may_still_report_and_nothing_else(gateway, tmp_path):
    gateway.here("office", "suspend", "health.440113", "--reason", "audit")
    assert "suspended-sender" in submit(gateway, "WJ-4", tmp_path)["flags"]
    closure = {
        "specversion": "1.0", "id": "x-1", "source": "urn:hutong:office:health.440113", "type": "hutong.notice.ACC.v1",
        "data": {"acceptance": {"accepted_by": "x", "acceptance_no": "1"}},
    }  # fmt: skip
    file = tmp_path / "acc.json"
    file.write_text(json.dumps(closure))
    refused = gateway.here(
        "submit", str(file), "--as", "health.440113", "--profile", str(gateway.profiles), config=False, check=False
    )
    assert refused.returncode == 3
    gateway.here("office", "resume", "health.440113")


def test_of_several_rows_each_that_is_refused_is_told_with_its_place_and_remedy(gateway, tmp_path):
    gateway.add_office("education.440113", "education")
    file = tmp_path / "register.csv"
    rows = ["姓名,性别,身份证号,监护人姓名,联系电话", "李小测,男,999999201503010016,王大测,13900139001", "合计,1人,,,"]
    file.write_text("\n".join(rows), encoding="utf-8")
    order = ("submit", str(file), "--as", "education.440113", "--profile", str(gateway.profiles))
    done = gateway.here(*order, config=False, check=False)
    assert done.returncode == 3
    assert "accepted" in done.stdout and "row 2, column 联系电话: [person-undetermined]" in done.stdout
    assert "row 3: [not-a-record]" in done.stdout and "表中不要写合计" in done.stdout
    old = tmp_path / "register.xls"
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    told = gateway.here(*(str(old) if word == str(file) else word for word in order), config=False, check=False)
    assert told.returncode == 3 and "[old-format]" in told.stderr


def test_what_is_changed_of_an_office_replaces_and_the_rest_stays_its_suspension_too(gateway):
    office = "judiciary.440113"
    gateway.add_office(office, "judiciary")

    def shown():
        return json.loads(gateway.here("office", "show", office).stdout)

    before = shown()
    gateway.here("office", "suspend", office)
    change = ("office", "change", office, "--accept-obligation", "log_use", "--attribute", "on_duty=no")
    assert json.loads(gateway.here(*change).stdout)["accepts_obligations"] == ["log_use"]
    expected = {"state": "suspended", "accepts_obligations": ["log_use"], "attributes": {"on_duty": "no"}}
    assert shown() == {**before, **expected}
    emptied = gateway.here("office", "change", office, "--accept-obligation", "none", "--attribute", "none").stdout
    assert (json.loads(emptied)["accepts_obligations"], shown().get("attributes", {})) == ([], {})
    gateway.here("office", "change", office, "--adapter", "canonical")
    assert (shown()["media_type"], shown()["keys"]) == ("application/cloudevents+json", before["keys"])
    for wrong in (("--queue", "doorbells"), ("--webhook", "http://127.0.0.1/"), ("--adapter", "none-such"), ()):
        refused = gateway.here("office", "change", office, *wrong, check=False)
        assert refused.returncode == 3, wrong
    before = shown()
    again = office_add(gateway, office, "--profile", str(gateway.profiles))
    assert again.returncode == 3 and "already-enrolled" in again.stderr and "hutong office change" in again.stderr
    assert shown() == before, "enrolling again lets nobody back in, and drops nothing"
    found = gateway.here("log", "search", "--event", "office_changed", "--json").stdout
    assert "accepts-obligations" in found


def test_the_reporter_goes_to_the_vault_and_the_log_says_so_without_saying_who(gateway, tmp_path):
    receipt = submit(gateway, "WJ-5", tmp_path, **{"||||||F\nZMR": "||||||F|||||测试医生\nZMR"})
    rows = json.loads(gateway.here("log", "search", "--event", "reporter_vaulted", "--json").stdout)
    assert rows[0]["envelope"]["notice"] == receipt["notice"]
    assert "测试医生" not in json.dumps(rows, ensure_ascii=False)
    arrived = pull(gateway, "police.440113")
    assert arrived
    assert all("测试医生" not in item["body"] for item in arrived)


def test_an_office_brings_its_own_public_key_as_openssl_writes_it_and_never_a_private_one(gateway, tmp_path):
    private, public = tmp_path / "own.pem", tmp_path / "own.pub.pem"
    key, pem = Ed25519PrivateKey.generate(), serialization.Encoding.PEM
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    refused = office_add(gateway, "education.440114", "--key", str(private))
    assert refused.returncode == 3 and "-pubout" in refused.stderr and "Traceback" not in refused.stderr
    office_add(gateway, "education.440114", "--key", str(public), check=True)
    assert json.loads(gateway.here("office", "show", "education.440114").stdout)["keys"][0]["jwk"]["crv"] == "Ed25519"


def test_words_that_the_policy_does_not_know_are_refused_with_those_it_knows(gateway):
    refused = office_add(gateway, "edu.440115", "--profile", str(gateway.profiles), "--accept-obligation", "log-use")
    assert refused.returncode == 3
    assert "unknown-agency" in refused.stderr and "womens_federation" in refused.stderr
    assert "unknown-obligation" in refused.stderr and "log_use" in refused.stderr
    nobody = gateway.here(
        "submit", __file__, "--as", "nobody", "--profile", str(gateway.profiles), config=False, check=False
    )
    assert nobody.returncode == 3 and "police.440113" in nobody.stderr


def test_who_acts_can_be_named_for_the_log_as_its_refusal_says(gateway):
    refused = gateway.here("log", "report", "ID:999999201503010016", "--as", "li", check=False)
    assert refused.returncode == 3 and "--as" in refused.stderr
    gateway.here("role", "grant", "li", "compliance-officer")
    assert "li" not in gateway.here("log", "report", "ID:999999201503010016", "--format", "csv", "--as", "li").stderr


def test_the_log_verifies_and_its_search_is_itself_logged(gateway):
    assert json.loads(gateway.here("log", "verify", "--json").stdout)["verified"] is True
    asked = {"event": "disclosure_decided", "obligation": "log_use", "type": "RPT-M", "flag": "late-report"}
    gateway.here("log", "search", *(word for name, value in asked.items() for word in (f"--{name}", value)))
    (told, *_) = json.loads(gateway.here("log", "search", "--event", "log_read", "--json").stdout)
    assert told["envelope"]["filters"] == sorted(asked)


def test_permits_that_no_disclosure_rested_on_are_listed_as_stale(gateway, tmp_path):
    submit(gateway, "WJ-6", tmp_path)
    assert pull(gateway, "police.440113")
    stale = {one["rule"] for one in json.loads(gateway.here("policy", "stale-grants", "--json").stdout)}
    assert "deliver-protection-order" in stale
    assert "deliver-reports" not in stale


def test_a_signed_receipt_says_in_both_languages_what_was_not_taken_over(gateway, tmp_path):
    told = submit(gateway, "gap-1", tmp_path, **{"|P|2.4|": "|T|2.4|"})
    said = "报文未标为正式数据 / the message is not marked as production data"
    assert [gap["message"] for gap in told["gaps"]] == [said]
    assert jwt.decode(told["receipt"], options={"verify_signature": False})["gaps"] == told["gaps"]


def test_no_line_of_the_node_holds_a_person(gateway):
    assert gateway.log
    for personal in ("李小测", "999999201503010016", "13800000000", "瘀伤", "王测乙"):
        assert personal.encode() not in bytes(gateway.log)


def test_the_node_finishes_what_is_in_flight_and_ends_with_zero(gateway):
    assert gateway.stop() == 0
