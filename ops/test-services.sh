#!/usr/bin/env bash
# Install what the tests need where it is missing, then run the given command.
#
# Services are started by the tests that use them (tests/support), as private instances on private ports in temporary
# folders, and die with the test run. Variables name services that run already, and nothing is installed for those:
#   HUTONG_TEST_POSTGRES   postgresql://user:password@host:port/database, of a role that may create databases
#   HUTONG_TEST_AMQP   amqp://user:password@host:port/, with HUTONG_TEST_AMQP_MANAGEMENT http://host:port
set -euo pipefail
# shellcheck source=ops/test-services/install.sh
. "$(dirname "${BASH_SOURCE[0]}")/test-services/install.sh"

# Go reads our notes, tiles and proofs with the tools of another implementation (tests/contracts/go).
need "the check by an independent Go implementation" golang-go command -v go
need "the check by an independent Go implementation" golang-golang-x-mod-dev test -d /usr/share/gocode/src/golang.org/x/mod

# The page that shows agencies how to connect is run as it stands.
need "the commands of docs/connect.md" curl command -v curl
need "the commands of docs/connect.md" openssl command -v openssl

# RabbitMQ: tests/support/rabbitmq.py starts one node, and three for the tests that kill one.
if [ -z "${HUTONG_TEST_AMQP:-}" ]; then
  need "everything about RabbitMQ" rabbitmq-server test -d /usr/lib/rabbitmq/lib
fi

# PostgreSQL: tests/support/postgres.py starts a private server (as the system user `postgres` when root runs the tests).
if [ -z "${HUTONG_TEST_POSTGRES:-}" ]; then
  need "everything about PostgreSQL" postgresql sh -c 'ls /usr/lib/postgresql/1[5-9]/bin/postgres'
fi

# A clock that can be changed for one process: for chaos alone.
case "$*" in *tests.faults.chaos*)
  need "jumps of the clock" libfaketime sh -c 'ls /usr/lib/*/faketime/libfaketimeMT.so.1'
esac

install_needed
exec "$@"
