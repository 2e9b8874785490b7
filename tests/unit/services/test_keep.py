"""Which identifiers make a person recognisable without anybody being asked?"""

from __future__ import annotations

import pytest

from gateway.services.keep import aliases_of

CHILD = "999999201503010016"


@pytest.mark.parametrize(
    ("person", "aliases"),
    [
        ({"id_type": "ID", "id_no": CHILD}, [("ID", CHILD)]),
        ({"id_no": CHILD}, [("ID", CHILD)]),
        ({"id_type": "PASS", "id_no": "e12345678"}, [("PASS", "E12345678")]),
        ({"id_no": "E12345678"}, []),  # its kind was set aside as no code of the table: it may be anybody's
        ({"id_type": "ID", "id_no": "123456"}, []),
        ({"id_type": "ID", "id_no": "999999201503010000"}, []),  # what clerks write for children without a number
        ({"id_type": "ID", "id_no": "111111111111111111"}, []),
        ({"id_type": "ID", "id_no": "999999201503010026"}, [("ID", "999999201503010026")]),  # a slip, and told as one
        ({"id_type": "HKB", "id_no": CHILD}, []),  # a booklet's number is its family's
        ({"id_type": "OTH", "id_no": "12345678"}, []),
        ({"id_type": "NONE", "id_no": "12345678"}, []),
        ({"id_type": "local:7", "id_no": CHILD}, []),
        ({"id_type": ["ID"], "id_no": CHILD}, []),
        ({"student_no": "G" + CHILD}, [("ID", CHILD)]),
        ({"student_no": "G999999201503010000"}, []),
        ({"id_type": "ID", "id_no": CHILD, "student_no": "G" + CHILD}, [("ID", CHILD)]),
        ({"student_no": "L999999201503010016"}, [("student", "L999999201503010016")]),
    ],
)
def test_a_number_joins_notices_only_where_it_is_certainly_one_persons(person, aliases):
    assert list(aliases_of(person)) == aliases
