import pytest

from gateway.model.identifiers import agency_of, division_of, office_of_urn, office_urn, parse_office_id


def test_an_office_id_carries_agency_and_division():
    office = parse_office_id("police.440113.panyu-station")
    assert (agency_of(office), division_of(office)) == ("police", "440113")
    assert office_of_urn(office_urn(office)) == office


@pytest.mark.parametrize(
    "text", ["", "police", "police.44011", "Police.440113", "police.440113.", "police.440113\n", "../x.440113"]
)
def test_a_malformed_office_id_is_refused(text):
    with pytest.raises(ValueError, match="an office id has the form"):
        parse_office_id(text)


def test_a_refused_office_id_is_not_repeated_in_the_message():
    with pytest.raises(ValueError, match="an office id") as refused:
        parse_office_id("李小测 999999201503010016")
    assert "李小测" not in str(refused.value)
