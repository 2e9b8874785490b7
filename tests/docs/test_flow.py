"""docs/flow.md says what the code does: doors, states, receipts and events, none missing, none made up."""

import re
from pathlib import Path

from gateway.http.routes import ROUTES
from gateway.model.audit import EventName
from gateway.model.delivery import DeliveryState
from gateway.services.follow import RECEIPTS
from gateway.services.receipts import ReceiptKind

ROOT = Path(__file__).resolve().parents[2]
NOT_OF_A_NOTICE = re.compile(r"/v1/(consents|emergency-access|usage-receipts|webhook|attachments|relay|log)")
READING = {
    "GET /v1/notices",
    "GET /v1/notices/{notice}",
    "GET /v1/files",
    "GET /v1/files/{file}",
    "GET /v1/files/{file}/rows",
}
READ_EVENTS = {"log_reports.py"}  # names events to look for, writes none of them
NOT_ISSUED = {ReceiptKind.READ}


def rows():
    text = (ROOT / "docs" / "flow.md").read_text(encoding="utf-8")
    found = [
        [cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"
    ]
    return [row for row in found if not row[0].startswith(("---", "发生了什么"))]


def column(place):
    return {row[place] for row in rows()} - {"—"}


def test_the_table_has_rows_of_six():
    assert len(rows()) > 15
    assert {len(row) for row in rows()} == {6}


def test_every_door_of_a_notice_stands_in_the_table_and_no_other():
    doors = {
        f"{route.method} {route.path}"
        for route in ROUTES
        if route.path.startswith("/v1/") and not NOT_OF_A_NOTICE.match(route.path)
    }
    assert column(1) - {"gateway", "operator"} == doors - READING
    text = (ROOT / "docs" / "flow.md").read_text(encoding="utf-8")
    assert "GET /v1/notices?changed_since" in text
    assert "GET /v1/notices/{notice}" in text


def test_every_state_stands_in_the_table():
    assert column(2) == {state.value for state in DeliveryState}


def test_each_state_has_the_receipt_that_the_sender_gets():
    for _, door, state, _, receipt, event in rows():
        if receipt == "accepted":
            assert event == ("file_accepted" if door == "POST /v1/files" else "notice_accepted")
        elif receipt != "—":
            assert RECEIPTS[DeliveryState(state)].value == receipt
        elif state != "—":
            assert DeliveryState(state) not in RECEIPTS
    assert column(4) == {kind.value for kind in ReceiptKind if kind not in NOT_ISSUED}


def test_every_event_that_services_write_about_a_delivery_stands_in_the_table():
    files = [path for path in (ROOT / "gateway" / "services").glob("*.py") if path.name not in READ_EVENTS]
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    written = set(re.findall(r"EventName\.((?:DELIVERY|DISCLOSURE|TICKET)_[A-Z_]+)", code))
    assert {EventName[name].value for name in written} == column(5) - {
        "notice_accepted",
        "file_accepted",
        "file_finished",
    }
