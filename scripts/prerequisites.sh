#!/bin/sh
# Prints the Python to use. Where Python 3.11+ or Node 20+ is missing: names both, says how to get
# them, and fails before anything is downloaded.
missing=

lacks() {
  printf 'missing: %s\n' "$1" >&2
  missing=yes
}

find_python() {
  for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
    command -v "$name" >/dev/null &&
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null &&
      command -v "$name" && return
  done
  return 1
}

if ! python=$(find_python); then
  lacks "Python 3.11 or newer (found: $(python3 --version 2>/dev/null || echo none)).
  Debian, Ubuntu: sudo apt-get install python3 python3-venv    macOS: brew install python@3.12
  or from https://www.python.org/downloads/"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  lacks "Python's venv module. Debian, Ubuntu: sudo apt-get install python3-venv"
fi

node=$(node --version 2>/dev/null || echo none)
major=${node#v}
major=${major%%.*}
if ! [ "$major" -ge 20 ] 2>/dev/null || ! command -v npm >/dev/null; then
  lacks "Node 20 or newer, with npm (found: $node).
  macOS: brew install node    elsewhere: https://nodejs.org/en/download"
fi

[ -z "$missing" ] || exit 1
echo "$python"
