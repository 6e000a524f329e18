#!/usr/bin/env bash
# Makes the Python environment that the peers and the golden scripts need; the last line printed is its interpreter.
#
#     PYTHON=$(bash Tests/peers/environment.sh | tail -n 1)
#
# PIPELINE_PEERS_DIR chooses the folder (default .build/peers). Running it again does nothing. About 1 GB.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${PIPELINE_PEERS_DIR:-$root/.build/peers}
python=$folder/venv/bin/python
packages=(transformers==5.23.0 tokenizers==0.23.3 safetensors==0.8.0 scipy==1.17.1 numpy==2.4.6 PyYAML)
mark=$folder/installed
wanted="torch==2.13.0 ${packages[*]}"

if [ ! -x "$python" ] || [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
        sudo=""
        [ "$(id -u)" = 0 ] || sudo=sudo
        $sudo apt-get update >&2
        $sudo apt-get install --yes python3-venv >&2
    fi
    mkdir -p "$folder"
    python3 -m venv "$folder/venv"
    # The wheel for the CPU alone is a tenth of the size: from the index in use, else from PyTorch's own, else the ordinary wheel.
    install=("$python" -m pip --disable-pip-version-check install --quiet)
    "${install[@]}" 'torch==2.13.0+cpu' >&2 2>/dev/null ||
        "${install[@]}" --retries 0 --extra-index-url https://download.pytorch.org/whl/cpu 'torch==2.13.0+cpu' >&2 2>/dev/null ||
        "${install[@]}" torch==2.13.0 >&2
    "${install[@]}" "${packages[@]}" >&2
    printf '%s\n' "$wanted" > "$mark"
fi
echo "$python"
