"""An office's entry counts as this gateway wrote it: who writes the database gives nobody another key."""

import sqlite3
from io import BytesIO

import pytest

from gateway.assembly import create, running
from gateway.cli.frame import Admin
from gateway.client.agency import AgencyClient, Answered, Profile
from gateway.config import ServerSettings, Settings
from gateway.crypto.signing import new_signing_key
from gateway.model.agency import Office, OfficeState
from gateway.model.errors import NotPermitted, Refusal
from gateway.model.identifiers import parse_office_id
from gateway.ports.log_storage import LogQuery
from gateway.services.directory_seal import digest

POLICE, ABOVE = parse_office_id("police.440113"), parse_office_id("police.440100")


def change(folder, what, *values):
    with sqlite3.connect(folder / "data" / "store.db") as store:
        store.execute(what, values)


async def enrol(gateway, office, key):
    entry = Office(office, "某公安机关", keys=(gateway.services.enrol.key(key.public().jwk()),))
    return await gateway.services.enrol.add(entry, by="test")


async def token(gateway, office, key):
    async with AgencyClient(Profile(office, gateway.url, key)) as client:
        return await client.token()


@pytest.fixture
async def place(tmp_path):
    settings = Settings(
        name="test.hutong.example",
        directory=tmp_path / "data",
        key_directory=tmp_path / "keys",
        server=ServerSettings(port=0, leave_seconds=0.01),
    )
    await create(settings, by="test")
    return settings


async def test_a_key_written_into_the_database_opens_no_inbox_and_the_office_is_enrolled_anew(place, tmp_path):
    own, above, foreign = new_signing_key(), new_signing_key(), new_signing_key()
    async with running(place, log_stream=BytesIO()) as gateway:
        entry = await enrol(gateway, POLICE, own)
        await enrol(gateway, ABOVE, above)
        (logged,) = await gateway.engines.store.log.search(LogQuery(event="office_added", office=POLICE), None, 9)
        assert digest(entry).encode() in logged.opening
    with sqlite3.connect(tmp_path / "data" / "store.db") as store:
        ((version,),) = store.execute("SELECT document FROM office_version WHERE id = ?", (POLICE,))
    assert b"seal" not in version, "what is no longer in force cannot be put back"
    (kid, jwk), (mine, _) = ((key.public().kid, key.public().jwk()) for key in (foreign, own))
    change(
        tmp_path,
        "UPDATE office SET document = replace(replace(CAST(document AS TEXT), ?, ?), ?, ?) WHERE id = ?",
        mine, kid, own.public().jwk()["x"], jwk["x"], POLICE,
    )  # fmt: skip
    async with running(place, log_stream=BytesIO()) as gateway:
        for key in (foreign, own):
            with pytest.raises(Answered):
                await token(gateway, POLICE, key)
        assert await token(gateway, ABOVE, above)
        found = gateway.services.directories.current
        assert found.doubted == {POLICE}
        assert found.offices[POLICE].state is OfficeState.COMPROMISED
        with pytest.raises(NotPermitted):
            await gateway.services.enrol.set_state(POLICE, OfficeState.ACTIVE, reason="test", by="test")
        await enrol(gateway, POLICE, own)
        assert await token(gateway, POLICE, own)
        assert not gateway.services.directories.current.doubted


async def test_entries_from_before_there_were_seals_are_sealed_once(place, tmp_path):
    own = new_signing_key()
    async with running(place, log_stream=BytesIO()) as gateway:
        await enrol(gateway, POLICE, own)
    unsealed = "UPDATE office SET document = json_remove(CAST(document AS TEXT), '$.seal')"
    change(tmp_path, unsealed)
    with sqlite3.connect(tmp_path / "keys" / "keys.db") as keys:
        keys.execute("DELETE FROM named_secret WHERE name = 'directory-is-sealed'")
    async with running(place, log_stream=BytesIO()) as gateway:
        assert await token(gateway, POLICE, own)
        (sealed,) = await gateway.engines.store.log.search(LogQuery(event="office_changed", office=POLICE), None, 9)
        assert b"seal" in sealed.opening
    change(tmp_path, unsealed)  # as after a backup from before there were seals
    async with running(place, log_stream=BytesIO()) as gateway:
        with pytest.raises(Answered):
            await token(gateway, POLICE, own)
        admin = Admin(place, "test")
        ((office, is_doubted),) = [(one["id"], one["doubted"]) for one in await admin.call("GET", "/admin/v1/offices")]
        assert (office, is_doubted) == (POLICE, True)
        told = await admin.call("POST", f"/admin/v1/offices/{POLICE}/seal", {})
        assert [key["kid"] for key in told["keys"]] == [own.public().kid]
        assert await token(gateway, POLICE, own)
        with pytest.raises(Refusal, match="in doubt"):
            await admin.call("POST", f"/admin/v1/offices/{POLICE}/seal", {})
