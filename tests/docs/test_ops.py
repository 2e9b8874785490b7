"""What stands in ops/ fits the code: files parse, commands and variables exist, times fit each other."""

import configparser
import re
from pathlib import Path

import click
import pytest
import yaml

from gateway.cli.main import main
from gateway.config import ServerSettings, load_settings
from gateway.http.routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
OPS = ROOT / "ops"
PATHS = {route.path for route in ROUTES}
KNOWN_VARIABLES = set(
    re.findall(r"HUTONG_[A-Z_]+", "".join(path.read_text() for path in (ROOT / "gateway").rglob("*.py")))
)
TEXTS = [path for path in OPS.rglob("*") if path.suffix in (".md", ".yaml", ".service", ".timer", ".toml", ".conf")]
LONGEST_STOP = ServerSettings().leave_seconds + ServerSettings().keepalive_seconds + ServerSettings().drain_seconds


def named(text):
    """Every `hutong ...` in a text, as the words after it."""
    return re.findall(r"(?:`|bin/)hutong ((?:[a-z-]+ ?)+)((?:[^`\n]*))", text)


def resolve(words):
    """The command that these words name, and its options; None where there is none."""
    command = main
    for word in words:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(command), word)
        if found is None:
            return None
        command = found
    return command


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(OPS).as_posix())
def test_every_command_and_option_named_there_exists(path):
    text = path.read_text(encoding="utf-8")
    for words, rest in named(text):
        command = resolve(words.split())
        assert command is not None, words
        known = {option for one in command.params for option in one.opts} | {"--help"}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, (words, rest)


def test_every_variable_named_there_is_read_somewhere():
    for path in [*TEXTS, OPS / "container" / "Dockerfile"]:
        for name in set(re.findall(r"HUTONG_[A-Z]+(?:_[A-Z]+)*", path.read_text(encoding="utf-8"))):
            if not name.startswith("HUTONG_TEST"):
                assert name in KNOWN_VARIABLES, (path, name)


def test_every_alert_rests_on_a_metric_that_is_told_and_on_values_it_takes():
    code = "".join(path.read_text() for path in (ROOT / "gateway").rglob("*.py"))
    rules = yaml.safe_load((OPS / "monitoring" / "alerts.yaml").read_text())["groups"][0]["rules"]
    for rule in rules:
        named_there = re.findall(r"(hutong_\w+)(?:{(\w+)=~?\"([^\"]+)\"})?", rule["expr"])
        assert named_there
        for metric, label, values in named_there:
            assert f'"{metric.removesuffix("_total")}"' in code, metric
            assert not label or f'("{label}",)' in code, label
            assert all(f'"{value}"' in code for value in filter(None, values.split("|"))), values
        assert rule["annotations"]["summary"]


def test_the_compose_file_is_whole_and_gives_a_node_time_to_drain():
    document = yaml.safe_load((OPS / "compose" / "compose.yaml").read_text(encoding="utf-8"))
    services = document["services"]
    assert set(services) == {"gateway", "database", "broker"}
    for service in services.values():
        assert service["healthcheck"]["test"]
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in document["volumes"] or source.startswith("."), source
    assert set(services["gateway"]["depends_on"]) == {"database", "broker"}
    assert int(services["gateway"]["stop_grace_period"][:-1]) > LONGEST_STOP
    for volume in services["broker"]["volumes"]:
        if volume.startswith("../"):
            assert (OPS / "compose" / volume.split(":")[0]).exists()
    assert "/healthz" in str(services["gateway"]["healthcheck"])


def test_whatever_a_node_writes_to_is_a_place_that_every_deployment_gives_it():
    """A file system that is read-only elsewhere, and volumes that all nodes of a cluster have in common."""
    image = (OPS / "container" / "Dockerfile").read_text(encoding="utf-8")
    unit = (OPS / "systemd" / "hutong.service").read_text(encoding="utf-8")
    (kept,) = re.findall(r"^StateDirectory=(.*)$", unit, re.M)
    compose = yaml.safe_load((OPS / "compose" / "compose.yaml").read_text(encoding="utf-8"))
    in_compose = [Path(one.split(":")[1]) for one in compose["services"]["gateway"]["volumes"]]
    manifests = list(yaml.safe_load_all((OPS / "kubernetes" / "gateway.yaml").read_text(encoding="utf-8")))
    (pod,) = [one["spec"]["template"]["spec"] for one in manifests if one["kind"] == "StatefulSet"]
    shared = {
        one["metadata"]["name"] for one in manifests if one.get("spec", {}).get("accessModes") == ["ReadWriteMany"]
    }
    claims = {one["name"]: one.get("persistentVolumeClaim", {}).get("claimName") for one in pod["volumes"]}
    mounts = {Path(one["mountPath"]): one["name"] for one in pod["containers"][0]["volumeMounts"]}
    for path in (
        OPS / "config" / "three-node.toml",
        OPS / "config" / "single-node.toml",
        OPS / "compose" / "hutong.toml",
    ):
        settings = load_settings(path)
        for place in (settings.directory, settings.key_directory, settings.objects):
            homes = {place, *place.parents}
            assert f"{place}" in image or any(
                f"{home} " in f"{image} " for home in homes - {Path("/"), Path("/var/lib")}
            )
            assert homes & {Path("/var/lib") / name for name in kept.split()}, (path, place)
            if settings.is_clustered:
                assert homes & set(in_compose), (path, place)
                assert homes & mounts.keys(), (path, place)
        if settings.is_clustered:
            for place in (settings.key_directory, settings.objects):
                [mount] = mounts.keys() & {place, *place.parents}
                assert claims[mounts[mount]] in shared or path.parent.name == "compose", "every node opens it"
            if path.name == "three-node.toml":
                assert settings.key_directory not in mounts, "a volume's root is not the gateway's own, and refused"
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch", "key files that a group reads are refused"


def test_the_manifests_are_whole_and_ask_paths_that_exist():
    documents = list(yaml.safe_load_all((OPS / "kubernetes" / "gateway.yaml").read_text(encoding="utf-8")))
    by_kind = {one["kind"]: one for one in documents}
    pod = by_kind["StatefulSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in PATHS
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "a store that is away is no reason to restart"
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > LONGEST_STOP + pause
    mounted = {one["name"] for one in container["volumeMounts"]}
    given = {one["name"] for one in pod["volumes"]} | {
        one["metadata"]["name"] for one in by_kind["StatefulSet"]["spec"]["volumeClaimTemplates"]
    }
    assert mounted == given
    labels = by_kind["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert by_kind["Service"]["spec"]["selector"].items() <= labels.items()
    assert by_kind["PodDisruptionBudget"]["spec"]["minAvailable"] < by_kind["StatefulSet"]["spec"]["replicas"]
    assert {one["name"] for one in container["env"]} <= KNOWN_VARIABLES


@pytest.mark.parametrize("unit", sorted((OPS / "systemd").iterdir()), ids=lambda path: path.name)
def test_a_unit_parses_and_has_what_its_kind_needs(unit):
    parsed = configparser.RawConfigParser(strict=True)
    parsed.optionxform = str
    parsed.read_string(unit.read_text(encoding="utf-8"))
    assert parsed["Unit"]["Description"]
    if unit.suffix == ".timer":
        assert (unit.with_suffix(".service")).exists()
    elif unit.name == "hutong-backup.service":
        written = [Path(one) for one in parsed["Service"]["ReadWritePaths"].split()]
        data = load_settings(OPS / "config" / "single-node.toml").directory
        assert {data, *data.parents} & set(written), (
            "SQLite writes beside a store that nobody has open, also to read it"
        )
    elif unit.name == "hutong.service":
        assert float(parsed["Service"]["TimeoutStopSec"]) > LONGEST_STOP
        assert int(parsed["Service"]["LimitNOFILE"]) > 2 * ServerSettings().max_connections


def test_the_brokers_configuration_asks_every_question_where_the_gateway_answers():
    lines = dict(
        line.split(" = ", 1)
        for line in (OPS / "rabbitmq" / "rabbitmq.conf").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    questions = {name.split(".")[1].removesuffix("_path"): url for name, url in lines.items() if name.endswith("_path")}
    assert questions.keys() == {"user", "vhost", "resource", "topic"}
    for question, url in questions.items():
        assert url.endswith(f"/internal/rabbitmq/{question}")
    assert "/internal/rabbitmq/{question}" in PATHS
    plugins = (OPS / "rabbitmq" / "enabled_plugins").read_text()
    assert "rabbitmq_auth_backend_http" in plugins
    assert "rabbitmq_management" in plugins
    assert int(lines["max_message_size"]) > load_settings(OPS / "config" / "single-node.toml").limits.max_body_bytes
