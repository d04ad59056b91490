#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A builder for Goldsmith: packs an OCI image. The artifact is the tar of an OCI image layout, which "podman load" and
# "skopeo copy oci-archive:FILE" read. The same inputs make the same bytes.   Needs jq and GNU tar, no privileges, no network.
#
# targets     format oci
# parameters  entrypoint: the command of the image as a JSON array, such as ["/bin/app", "-v"]
# files       belong to root; a file that begins with #! is executable
# $ROOTFS     a directory or an uncompressed tar, which is the layer below the files. Only the operator sets it
set -eu
umask 022
export PATH="${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}" LC_ALL=C

fail() { # REASON MESSAGE
  echo "$1: $2"
  jq -n --arg reason "$1" --arg message "$2" \
    '{version: 1, outcome: "Failed", failure: {reason: $reason, message: $message}}' >"$GOLDSMITH_RESULT"
  exit 1
}
for tool in jq tar; do
  command -v "$tool" >/dev/null && continue
  printf '{"version": 1, "outcome": "Failed", "failure": {"reason": "ToolMissing", "message": "the builder needs %s"}}' "$tool" >"$GOLDSMITH_RESULT"
  exit 1
done

input() { jq -r "$1" "$GOLDSMITH_INPUT"; }
[ "$(input .version)" = 1 ] || fail UnknownVersion "the input is not of version 1"
unknown=$(input '.parameters | keys - ["entrypoint"] | join(", ")')
[ -z "$unknown" ] || fail UnknownParameter "$unknown; the only parameter is entrypoint"
formats=$(input '[.targets[].format] | unique - ["oci"] | join(", ")')
[ -z "$formats" ] || fail UnknownFormat "$formats; the only format is oci"
input '.parameters.entrypoint // "[]" | fromjson | if all(.[]; type == "string") then . else error end' >/dev/null ||
  fail InvalidEntrypoint 'entrypoint must be a JSON array of strings, such as ["/bin/app", "-v"]'

work=$(mktemp -d)
mkdir "$work/files" "$work/layers"
input '.files | keys[]' >"$work/paths"
while IFS= read -r path; do
  case $path in */*) mkdir -p "$work/files/${path%/*}" ;; esac
  jq -j --arg path "$path" '.files[$path]' "$GOLDSMITH_INPUT" >"$work/files/$path"
  if head -c 2 "$work/files/$path" | grep -q '^#!'; then chmod 755 "$work/files/$path"; fi
done <"$work/paths"

pack() { # TAR --directory DIRECTORY NAME...: sorted, owned by root, with one time
  tar --create --format gnu --sort name --owner 0 --group 0 --numeric-owner --mtime "@${SOURCE_DATE_EPOCH:-1704067200}" \
    --file "$@"
}
if [ -d "${ROOTFS:-}" ]; then
  pack "$work/layers/0" --directory "$ROOTFS" .
elif [ -n "${ROOTFS:-}" ]; then
  [ "$(dd if="$ROOTFS" bs=1 skip=257 count=5 2>/dev/null)" = ustar ] ||
    fail NoRootFileSystem "$ROOTFS is neither a directory nor an uncompressed tar"
  cp "$ROOTFS" "$work/layers/0"
fi
pack "$work/layers/1" --directory "$work/files" .

add() { # FILE MEDIA-TYPE: adds a blob to the layout, and prints its descriptor
  digest=$(sha256sum <"$1" | cut -d ' ' -f 1)
  cp "$1" "$layout/blobs/sha256/$digest"
  jq -n --arg type "$2" --arg digest "sha256:$digest" --argjson size "$(wc -c <"$1")" '{mediaType: $type, digest: $digest, size: $size}'
}
for target in $(input '.targets[].name'); do
  layout=$work/$(echo "$target" | tr / -)
  echo "making $target: $(wc -l <"$work/paths") files"
  mkdir -p "$layout/blobs/sha256"
  for layer in "$work"/layers/*; do add "$layer" application/vnd.oci.image.layer.v1.tar; done >"$work/descriptors"
  jq --arg target "$target" --slurpfile layers "$work/descriptors" '.parameters.entrypoint // "[]" | fromjson as $entrypoint |
    ($target | split("/")) as [$os, $architecture, $variant] | {$os, $architecture} + if $variant != "oci" then {$variant} else {} end +
    {config: {Entrypoint: $entrypoint}, rootfs: {type: "layers", diff_ids: [$layers[].digest]}}' "$GOLDSMITH_INPUT" >"$work/config"
  add "$work/config" application/vnd.oci.image.config.v1+json >"$work/descriptor"
  jq -s --slurpfile config "$work/descriptor" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: $config[0], layers: .}' "$work/descriptors" >"$work/manifest"
  add "$work/manifest" application/vnd.oci.image.manifest.v1+json >"$work/descriptor"
  jq -s '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: .}' "$work/descriptor" >"$layout/index.json"
  echo '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
  pack "$GOLDSMITH_OUTPUT/${layout##*/}.tar" --directory "$layout" oci-layout index.json blobs
done
input '{version: 1, outcome: "Succeeded", artifacts: [.targets[] | {target: .name, file: (.name | gsub("/"; "-") + ".tar"),
  mediaType: "application/vnd.oci.image.layout.v1+tar"}]}' >"$GOLDSMITH_RESULT"
