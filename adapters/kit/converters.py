"""Which converters may a mapping document name with `as`?

Everything an adapter needs to convert by hand is offered here as well.
"""

from __future__ import annotations

from adapters.kit.conversion import Converter, Noted, Unmappable, Unwritable
from adapters.kit.identity_values import (
    check_digit_holds,
    read_citizen_id,
    read_phone,
    read_school_code,
    read_student_no,
    ruined_number,
    write_citizen_id,
    write_phone,
    write_school_code,
    write_student_no,
)
from adapters.kit.plain_values import (
    AGREE,
    FLAG,
    YES_NO,
    read_age,
    read_division,
    read_integer,
    read_urgency,
    write_age,
    write_division,
    write_integer,
    write_urgency,
)
from adapters.kit.text_values import (
    half_width,
    is_awkward,
    read_case_number,
    read_exact,
    read_sm3,
    read_text,
    write_case_number,
    write_exact,
    write_sm3,
    write_text,
)
from adapters.kit.time_values import (
    CHINA,
    local_instant,
    read_date,
    read_instant,
    read_moment,
    read_month,
    write_compact_date,
    write_compact_instant,
    write_compact_moment,
    write_compact_month,
    write_dashed_date,
    write_dashed_month,
    write_iso_moment,
    write_local_instant,
    write_spaced_instant,
    write_spaced_moment,
    write_zoned_moment,
)

__all__ = [
    "CHINA", "CONVERTERS", "TEXT", "Converter", "Noted", "Unmappable", "Unwritable", "check_digit_holds", "half_width",
    "is_awkward", "local_instant", "read_age", "read_case_number", "read_citizen_id", "read_date", "read_division",
    "read_exact", "read_instant", "read_integer", "read_moment", "read_month", "read_phone", "read_school_code",
    "read_sm3", "read_student_no", "read_text", "read_urgency", "ruined_number", "write_citizen_id", "write_compact_date",
    "write_text", "write_zoned_moment",
]  # fmt: skip

TEXT = Converter(read_text, write_text)
CONVERTERS: dict[str, Converter] = {
    "text": TEXT,
    "exact": Converter(read_exact, write_exact),
    "date": Converter(read_date, write_compact_date),
    "dashed_date": Converter(read_date, write_dashed_date),
    "month": Converter(read_month, write_compact_month),
    "dashed_month": Converter(read_month, write_dashed_month),
    "datetime": Converter(read_instant, write_compact_instant),
    "spaced_datetime": Converter(read_instant, write_spaced_instant),
    "iso_datetime": Converter(read_instant, write_local_instant),
    "moment": Converter(read_moment, write_compact_moment),
    "zoned_moment": Converter(read_moment, write_zoned_moment),
    "spaced_moment": Converter(read_moment, write_spaced_moment),
    "iso_moment": Converter(read_moment, write_iso_moment),
    "citizen_id": Converter(read_citizen_id, write_citizen_id),
    "student_no": Converter(read_student_no, write_student_no),
    "school_code": Converter(read_school_code, write_school_code),
    "phone": Converter(read_phone, write_phone),
    "integer": Converter(read_integer, write_integer),
    "flag": FLAG,
    "yes_no": YES_NO,
    "agree": AGREE,
    "division": Converter(read_division, write_division),
    "age": Converter(read_age, write_age),
    "urgency": Converter(read_urgency, write_urgency),
    "case_number": Converter(read_case_number, write_case_number),
    "sm3": Converter(read_sm3, write_sm3),
}
