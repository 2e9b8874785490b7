#!/usr/bin/env bash
# Make the virtual environment of the project from its lock file. Usage: setup.sh VENV
set -euo pipefail
venv=${1:?usage: setup.sh VENV}

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  echo "python3-venv is missing; installing it / 缺少 python3-venv，正在安装"
  if [ "$(id -u)" = 0 ]; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
  else
    echo "this needs administrator rights: run 'apt-get install python3-venv' and try again" >&2
    echo "需要管理员权限：请先执行 apt-get install python3-venv，再重试" >&2
    exit 1
  fi
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed / 需要 Python 3.11 或更高版本" >&2; exit 1; }

[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . 2>/dev/null \
  || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .
# A first start that has to compile the program takes twice as long; the compiled files are checked against their sources.
"$venv/bin/python" -m compileall -q gateway adapters
