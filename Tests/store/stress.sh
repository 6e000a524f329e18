#!/usr/bin/env bash
# The long forms of the store's tests: four workers on one store for ten minutes, and 10,000 random damages.
#
#     bash Tests/store/stress.sh [seconds] [damages]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
swift build -c release --build-tests
STORE_STRESS_SECONDS="${1:-600}" swift test -c release --skip-build --filter StressTests
STORE_DAMAGE_ROUNDS="${2:-10000}" swift test -c release --skip-build --filter DamageTests
