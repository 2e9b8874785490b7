"""The example settings load, every setting reaches what it is for, and no fact has two defaults."""

import dataclasses
import re
from pathlib import Path

import pytest

from gateway.config import Settings, load_settings
from gateway.engines.http_courier.courier import CourierSettings
from gateway.http.settings import HttpSettings
from gateway.model.errors import InvalidDocument
from gateway.services.authenticate import TokenSettings

ROOT = Path(__file__).resolve().parents[2]
ANOMALY_SIGNALS = re.compile("watch_minutes|alarm_")  # read by the anomaly signals, which are still to come
EXAMPLES = sorted((ROOT / "ops").glob("co*/*.toml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_loads_as_it_is(file):
    assert load_settings(file).region == "440113"


def test_there_is_an_example_for_each_way_to_run_it():
    assert {file.stem for file in EXAMPLES} >= {"embedded", "single-node", "three-node", "hutong"}


def test_the_edge_courier_and_tokens_have_no_defaults_of_their_own():
    settings = Settings()
    assert HttpSettings.of(settings) == HttpSettings()
    assert TokenSettings.of(settings, "https://hutong.example") == TokenSettings("https://hutong.example")
    assert CourierSettings().connections_per_office == settings.delivery.max_in_flight_per_office
    assert CourierSettings().is_plain_loopback_allowed is settings.delivery.webhook_plain_loopback is False


def test_every_setting_is_read_somewhere():
    code = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "gateway").rglob("*.py") if path.name != "config.py"
    )
    code += (ROOT / "gateway" / "config.py").read_text(encoding="utf-8").split("def public_url", 1)[1]
    names = [item.name for item in dataclasses.fields(Settings)]
    for group in ("server", "limits", "tokens", "delivery", "retention", "log", "rabbitmq", "postgres"):
        names += [item.name for item in dataclasses.fields(getattr(Settings(), group))]
    unread = [name for name in names if not re.search(rf"\.{name}\b", code)]
    assert [name for name in unread if not ANOMALY_SIGNALS.match(name)] == []


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("[server]\nmax_connection = 5\n", "server.max_connection"),
        ("[server]\ntrusted_proxies = ['10.1.0.7/24']\n", "server.trusted_proxies"),
        ("[server]\nmetrics_readers = 'all'\n", "server.metrics_readers"),
        ("[tokens]\ntoken_seconds = 0\n", "tokens.token_seconds"),
        ("[delivery]\nwebhook_plain_loopback = 1\n", "delivery.webhook_plain_loopback"),
        ("[delivery]\nlease_seconds = 20\n", "delivery.lease_seconds"),
        ("key_passphrase = 'word'\n", "key_passphrase"),
    ],
)
def test_a_wrong_setting_refuses_to_start_and_is_named(tmp_path, text, position):
    (tmp_path / "hutong.toml").write_text(text)
    with pytest.raises(InvalidDocument) as refused:
        load_settings(tmp_path / "hutong.toml")
    assert position in {problem.position for problem in refused.value.problems}
