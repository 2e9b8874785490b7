"""Which gaps are gaps of one place?"""

from __future__ import annotations

from gateway.services.unmapped import place_of


def test_rows_and_repetitions_of_one_place_are_one_place():
    assert place_of("sheet 三月, row 12, column 班号") == place_of("row 7, column 班号") == "column 班号"
    assert place_of("/REQUEST/BODY/SHR[2]/CSRQ") == "/REQUEST/BODY/SHR[]/CSRQ"
    assert place_of("line 3 /data/wcnzn/0/xm") == "/data/wcnzn/[]/xm"
    assert place_of("message 2, PID-3[2].1") == "PID-3[].1"
    assert place_of("row 3") == "row 3"
