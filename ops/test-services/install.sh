# Sourced by ops/test-services.sh: what is missing is noted with `need`, and installed at once by `install_needed`.

wanted=() lost=()

# need WHAT-IS-LEFT-OUT-WITHOUT-IT PACKAGE CHECK...: note a Debian package when the check fails.
need() {
  local without=$1 package=$2
  shift 2
  "$@" >/dev/null 2>&1 && return 0
  wanted+=("$package")
  lost+=("$without")
}

# Whatever is installed must not start a service of its own: the tests start private instances.
without_starting() {
  local rule=/usr/sbin/policy-rc.d made=""
  if [ ! -e "$rule" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$rule" >/dev/null && "${as_root[@]}" chmod 755 "$rule" && made=yes
  fi
  "$@"
  local ended=$?
  [ -z "$made" ] || "${as_root[@]}" rm -f "$rule"
  return "$ended"
}

install_needed() {
  [ "${#wanted[@]}" -gt 0 ] || return 0
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "test-services: no right to install ${wanted[*]}; left out: $(printf '%s; ' "${lost[@]}")" >&2
    return 0
  fi
  { "${as_root[@]}" apt-get update -qq && without_starting "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive timeout 300 \
    apt-get install -y -qq --no-install-recommends "${wanted[@]}"; } >/dev/null 2>&1 \
    || echo "test-services: ${wanted[*]} could not be installed; left out: $(printf '%s; ' "${lost[@]}")" >&2
}
