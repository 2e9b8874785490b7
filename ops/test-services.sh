#!/usr/bin/env bash
# Install and start what the tests need, run the given command, stop it again.
# Go reads our notes, tiles and proofs with the tools of another implementation (tests/contracts/go).
set -euo pipefail

wanted=()
command -v go >/dev/null || wanted+=(golang-go)
[ -d /usr/share/gocode/src/golang.org/x/mod ] || wanted+=(golang-golang-x-mod-dev)
if [ "${#wanted[@]}" -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  if command -v apt-get >/dev/null && "${as_root[@]}" true 2>/dev/null; then
    { "${as_root[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 300 \
      "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${wanted[@]}"; } >/dev/null 2>&1 \
      || echo "test-services: ${wanted[*]} could not be installed; the check by an independent Go implementation is skipped" >&2
  else
    echo "test-services: no right to install ${wanted[*]}; the check by an independent Go implementation is skipped" >&2
  fi
fi

exec "$@"
