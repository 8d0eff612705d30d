#!/usr/bin/env bash
# make fuzz, make scaling and make journeys on a machine without network, where nothing is installed but Python:
#   bash tests/tools/elsewhere.sh FOLDER_OF_WHEELS fuzz --workers 16 --seconds 540 --seed 1 --out "$OUT"
#   bash tests/tools/elsewhere.sh FOLDER_OF_WHEELS scaling --workers 8
#   bash tests/tools/elsewhere.sh FOLDER_OF_WHEELS journeys --confirm --workers 24 --seconds 570 --out "$OUT/journeys.txt"
# The wheels are those of fp8check[service] and what they need, for that machine's Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
wheels=$(cd "$1" && pwd)
tool=$2
shift 2
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
PYTHONPATH="$site:$PWD" PYTHONDONTWRITEBYTECODE=1 "$python" -m "tests.tools.$tool" "$@"
