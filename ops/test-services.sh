#!/usr/bin/env bash
# Start the services the tests need (none yet on the embedded engine), run the given command, stop them.
set -euo pipefail
exec "$@"
