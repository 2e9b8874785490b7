"""A RabbitMQ of one's own: private ports, private data, killed with -9 and wiped at will, nothing left behind.

For the bench and the tests. Each node's VM is a direct child that dies with whoever started it (PR_SET_PDEATHSIG), and
so does the one epmd of a cluster, so that a killed run leaves no broker.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from gateway.bench.processes import free_port

_SBIN = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
IS_INSTALLED = bool(_SBIN) and shutil.which("epmd") is not None
READY_SECONDS = 90
_PDEATHSIG = 1

_CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = hutong
default_pass = {password}
auth_backends.1 = internal
auth_backends.2 = http
auth_http.http_method = post
auth_http.user_path = http://127.0.0.1:{gateway}/internal/rabbitmq/user
auth_http.vhost_path = http://127.0.0.1:{gateway}/internal/rabbitmq/vhost
auth_http.resource_path = http://127.0.0.1:{gateway}/internal/rabbitmq/resource
auth_http.topic_path = http://127.0.0.1:{gateway}/internal/rabbitmq/topic
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.file.level = warning
cluster_partition_handling = pause_minority
"""


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)


class Broker:
    """One node. `kill` is SIGKILL; `start` after it is a recovery; `wipe` between them is the loss of its disk."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.cluster, self.number = cluster, number
        self.port, self.management, self._distribution = free_port(), free_port(), free_port()
        self.name = f"hutong{number}-{cluster.epmd_port}@localhost"
        self.folder = cluster.folder / f"n{number}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Broker:
        """Begin to start; `wait` for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plugins").write_text("[rabbitmq_management,rabbitmq_auth_backend_http].\n")
        (self.folder / "advanced.config").write_text("[].\n")
        (self.folder / "env.conf").touch()
        config = _CONFIG.format(
            port=self.port,
            management=self.management,
            password=self.cluster.password,
            gateway=self.cluster.gateway_port,
        )
        if len(self.cluster.brokers) > 1:
            config += "cluster_formation.peer_discovery_backend = classic_config\n"
            for one in self.cluster.brokers:
                config += f"cluster_formation.classic_config.nodes.{one.number} = {one.name}\n"
        (self.folder / "rabbitmq.conf").write_text(config)
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(  # noqa: S603 - our own script
                [str(_SBIN[-1] / "rabbitmq-server")], env=self._environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                preexec_fn=_die_with_parent,
            )  # fmt: skip
        return self

    def wait(self) -> Broker:
        """Until it takes connections and serves its management API. The pid file is written when the start is over."""
        until = time.monotonic() + READY_SECONDS
        while not (self._listens(self.port) and self._listens(self.management)):
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"RabbitMQ did not start: {(self.folder / 'out').read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def evaluate(self, expression: str) -> None:
        """Have the running node evaluate Erlang. For what no fault brings about at will."""
        command = [str(_SBIN[-1] / "rabbitmqctl"), "eval", expression]
        subprocess.run(command, env=self._environment(), capture_output=True, timeout=60, check=True)  # noqa: S603

    def wipe(self) -> None:
        shutil.rmtree(self.folder / "mnesia", ignore_errors=True)

    @staticmethod
    def _listens(port: int) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    def _environment(self) -> dict[str, str]:
        folder = str(self.folder)
        quiet = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.cluster.folder),  # the Erlang cookie lives there: one for all nodes of the cluster
            "ERL_EPMD_PORT": str(self.cluster.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the VM, so that ours is the VM's process id
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/env.conf",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": quiet,
        }


class Cluster:
    """One node or three. `gateway_port` is where they ask who may do what: run the gateway there."""

    def __init__(self, folder: Path, count: int = 1) -> None:
        self.folder, self.epmd_port, self.gateway_port = folder, free_port(), free_port()
        self.password = secrets.token_urlsafe(18)
        self.brokers = [Broker(self, number + 1) for number in range(count)]
        self._epmd: subprocess.Popen[bytes] | None = None

    def start(self) -> Cluster:
        self.folder.mkdir(parents=True, exist_ok=True)
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text(secrets.token_hex(16))
            cookie.chmod(0o400)
        self._epmd = subprocess.Popen(  # noqa: S603
            [str(shutil.which("epmd")), "-port", str(self.epmd_port), "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
        )  # fmt: skip
        for broker in self.brokers:
            broker.start()
        for broker in self.brokers:
            broker.wait()
        return self

    def halt(self) -> None:
        """End it and keep its data."""
        for broker in self.brokers:
            if broker.process is not None and broker.process.poll() is None:
                broker.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)
