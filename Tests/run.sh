#!/usr/bin/env bash
# Installs what the tests need and runs them all, in release: the build is the one that makes the tool.
#
#     bash Tests/run.sh [options of swift test, such as --filter StoreTests]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash Fixtures/quickstart/install_libraries.sh
swift build -c release --build-tests
swift test -c release --skip-build "$@"
echo "all tests passed"
