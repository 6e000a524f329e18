#!/usr/bin/env bash
# The long forms of the store's tests, each with its full count. Together they take the better part of an hour.
#
#     bash Tests/store/stress.sh [kills] [damages] [seconds] [artifacts]
#
# kills       SIGKILLs of the tool at random instants while it saves, pushes, pulls, collects and tags (1,000)
# damages     random damages of a store's files (10,000)
# seconds     four workers saving, reading, tagging and collecting in one store: threads of one process, then processes (600 each)
# artifacts   artifacts with two blobs each that list, show and gc are timed on (100,000; about 2 GB of small files)
#
# For root a small file system is filled too (full_disk.py), and a group of users shares a store (shared_group.py).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
swift build -c release --build-tests
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 Tests/store/kills.py --work "$work/kills" --kills "${1:-1000}"
STORE_DAMAGE_ROUNDS="${2:-10000}" swift test -c release --skip-build --filter DamageTests
STORE_STRESS_SECONDS="${3:-600}" swift test -c release --skip-build --filter StressTests
python3 Tests/store/processes.py --work "$work/processes" --seconds "${3:-600}"
[ "$(id -u)" != 0 ] || { python3 Tests/store/full_disk.py && python3 Tests/store/shared_group.py; }
python3 Tests/store/scale.py --work "$work/scale" --artifacts "${4:-100000}" --blobs 2
