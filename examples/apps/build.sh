#!/usr/bin/env bash
# Builds the sample apps from src/ into this folder, or into the folder given as the first argument.
# Needs, of Debian: apt-get install --no-install-recommends aapt apksigner android-framework-res zipalign zip python3
set -euo pipefail
cd "$(dirname "$0")"
out=$(realpath "${1:-.}")
framework=/usr/share/android-framework-res/framework-res.apk
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TZ=UTC

# link NAME MANIFEST VERSION MIN_SDK [aapt2 options…]: NAME.apk, not signed yet, in $work.
link() {
    local name=$1 manifest=$2 version=$3 min_sdk=$4
    shift 4
    aapt2 link -o "$work/$name.apk" --manifest "$manifest" -I "$framework" --min-sdk-version "$min_sdk" \
        --target-sdk-version 34 --version-code "$version" --version-name "$version.0" "$@"
}

# resources APP: its res/ compiled, ready for link.
resources() {
    aapt2 compile --dir "src/$1/res" -o "$work/$1-res.zip"
    echo "$work/$1-res.zip"
}

# library APK ABI MACHINE BITS: adds lib/ABI/libsample.so, an ELF header and nothing behind it.
library() {
    python3 - "$work/lib/$2/libsample.so" "$3" "$4" <<'PY'
import struct, sys
from pathlib import Path
path, machine, bits = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
path.parent.mkdir(parents=True, exist_ok=True)
word, size = ("Q", 64) if bits == 64 else ("I", 52)
ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
path.write_bytes(struct.pack(f"<16sHHI{word}{word}{word}IHHHHHH", ident, 3, machine, 1, 0, 0, 0, 0, size, 0, 0, 0, 0, 0))
PY
    touch -d 1981-01-01 "$work/lib/$2/libsample.so"
    (cd "$work" && zip -qX "$1.apk" "lib/$2/libsample.so")
}

# sign NAME KEY [MIN_SDK]: aligned and signed in place (v1 for Android 6 and older, v2, v3).
sign() {
    zipalign -f 4 "$work/$1.apk" "$work/aligned.apk"
    apksigner sign --ks "keys/$2.p12" --ks-type PKCS12 --ks-pass pass:schoolbag --ks-key-alias sample \
        --min-sdk-version "${3:-21}" --v1-signing-enabled true --v2-signing-enabled true --v3-signing-enabled true \
        --v4-signing-enabled false --out "$work/$1.apk" "$work/aligned.apk"
}

# bundle NAME LEVEL FILE…: a zip of the files (level 0: stored), with nothing in it that differs between builds.
bundle() {
    local name=$1 level=$2
    shift 2
    rm -f "$out/$name"
    (cd "$work/bundle" && find . -exec touch -d 1981-01-01 {} + && zip -qX "-$level" "$out/$name" "$@")
}

# The reader: older and newer version, another signer, not signed, cut short.
res=$(resources reader)
for version in 1 2; do
    link "schoolbag-reader-$version" src/reader/AndroidManifest.xml "$version" 21 "$res"
    cp "$work/schoolbag-reader-$version.apk" "$work/unsigned-$version.apk"
    sign "schoolbag-reader-$version" schoolbag-sample
done
cp "$work/unsigned-1.apk" "$work/schoolbag-reader-other-signer.apk"
sign schoolbag-reader-other-signer other-sample
zipalign -f 4 "$work/unsigned-1.apk" "$work/schoolbag-reader-unsigned.apk"
head -c 6000 "$work/schoolbag-reader-1.apk" > "$work/schoolbag-reader-truncated.apk"

# One APK each: only arm64, only Android 14 and newer, dangerous permissions, test only.
link schoolbag-arm64 src/arm64/AndroidManifest.xml 1 21
library schoolbag-arm64 arm64-v8a 183 64
sign schoolbag-arm64 schoolbag-sample
link schoolbag-new-android src/new-android/AndroidManifest.xml 1 34
sign schoolbag-new-android schoolbag-sample
link schoolbag-recorder src/recorder/AndroidManifest.xml 1 21
sign schoolbag-recorder schoolbag-sample
link schoolbag-testonly src/testonly/AndroidManifest.xml 1 21
sign schoolbag-testonly schoolbag-sample
cp "$work"/schoolbag-*.apk "$out"

# The maths app: a base, two languages, two processor kinds; as three kinds of bundle.
res=$(resources maths)
link base src/maths/AndroidManifest.xml 3 21 "$res" --split "$work/config.vi.apk:vi" --split "$work/config.zh.apk:zh"
for split in arm64_v8a:arm64-v8a:183:64 armeabi_v7a:armeabi-v7a:40:32; do
    IFS=: read -r name abi machine bits <<<"$split"
    sed "s/@ABI@/$name/" src/maths/abi-split.xml > "$work/split.xml"
    link "config.$name" "$work/split.xml" 3 21
    library "config.$name" "$abi" "$machine" "$bits"
done
mkdir -p "$work/bundle/splits"
for split in base config.vi config.zh config.arm64_v8a config.armeabi_v7a; do
    sign "$split" schoolbag-sample
    cp "$work/$split.apk" "$work/bundle/splits/base-${split#config.}.apk"
    cp "$work/$split.apk" "$work/bundle/split_$split.apk"
    cp "$work/$split.apk" "$work/bundle/$split.apk"
done
mv "$work/bundle/splits/base-base.apk" "$work/bundle/splits/base-master.apk"
bundle schoolbag-maths.apks 0 splits/base-master.apk splits/base-{vi,zh,arm64_v8a,armeabi_v7a}.apk
cp src/maths/manifest.json src/maths/info.json "$work/bundle"
mkdir -p "$work/bundle/Android/obb/org.schoolbag.sample.maths"
cp src/maths/exercises.txt "$work/bundle/Android/obb/org.schoolbag.sample.maths/main.3.org.schoolbag.sample.maths.obb"
bundle schoolbag-maths.xapk 9 manifest.json base.apk config.{vi,zh,arm64_v8a,armeabi_v7a}.apk \
    Android/obb/org.schoolbag.sample.maths/main.3.org.schoolbag.sample.maths.obb
bundle schoolbag-maths.apkm 9 info.json base.apk split_config.{vi,zh,arm64_v8a,armeabi_v7a}.apk
