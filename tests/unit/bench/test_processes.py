"""A port that was given to one process is nobody else's while that process lives, though nothing listens there."""

import subprocess
import sys

from gateway.bench import processes

CHOOSES_IT_FIRST = """
import secrets, sys
any_port, wanted = secrets.choice, [int(sys.argv[1])]
secrets.choice = lambda ports: wanted.pop() if wanted else any_port(ports)
from gateway.bench import processes
print(processes.free_port(), len(wanted))
"""


def test_another_process_is_given_another_port():
    mine = processes.free_port()
    command = [sys.executable, "-c", CHOOSES_IT_FIRST, str(mine)]
    given, still_wanted = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert int(given) != mine
    assert still_wanted == "0", "it had asked for that one"
