#!/usr/bin/env bash
# Installs what the tests need and runs them all, in release: the build is the one that makes the tool.
#
#     bash Tests/run.sh [options of swift test, such as --filter StoreTests]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash Fixtures/quickstart/install_libraries.sh
# What DockerRegistryTests push to and pull from, on the loopback interface. Without it they are skipped and say so.
bash Fixtures/quickstart/install_libraries.sh docker-registry || echo "docker-registry could not be installed" >&2
swift build -c release --build-tests
swift test -c release --skip-build "$@"
echo "all tests passed"
