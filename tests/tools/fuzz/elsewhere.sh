#!/usr/bin/env bash
# make fuzz on a machine without network, where nothing is installed but Python:
#   bash tests/tools/fuzz/elsewhere.sh FOLDER_OF_WHEELS --workers 16 --seconds 540 --seed 1 --out "$OUT"
# The wheels are those of fp8check[service] and what they need, for that machine's Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
wheels=$(cd "$1" && pwd)
shift
python=${PYTHON:-python3}
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT
for wheel in "$wheels"/*.whl; do
    "$python" -m zipfile -e "$wheel" "$site"
done
# As setup.py maps the folders.
mkdir "$site/fp8check"
for room in rules cli probe service; do
    ln -s "$PWD/$room" "$site/fp8check/$room"
done
PYTHONPATH="$site:$PWD" PYTHONDONTWRITEBYTECODE=1 "$python" -m tests.tools.fuzz "$@"
