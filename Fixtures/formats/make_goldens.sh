#!/usr/bin/env bash
# Makes the goldens of this folder anew, with exactly these versions, in a virtual environment of its own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'safetensors==0.8.0' 'numpy==2.4.6' 'scipy==1.17.1' 'scikit-learn==1.9.0' 'ml_dtypes==0.5.4'
"$work/venv/bin/python" "$here/make_goldens.py" "$here"
chmod 644 "$here"/*.safetensors "$here"/sharded/*.safetensors
