#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A builder for Goldsmith: makes an ext4 file system that contains the files of the image. The same inputs and the same e2fsprogs
# make the same bytes.   Needs jq and e2fsprogs, no privileges, no network.
#
# targets     format raw
# parameters  size: size of the file system, such as 64M or 2G; 64M by default
# files       belong to root; a file that begins with #! is executable
set -eu
umask 022
export PATH="${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}"

# Fail with a reason and a message.
fail() { # REASON MESSAGE
  echo "$1: $2"
  jq -n --arg reason "$1" --arg message "$2" \
    '{version: 1, outcome: "Failed", failure: {reason: $reason, message: $message}}' >"$GOLDSMITH_RESULT"
  exit 1
}
for tool in jq mke2fs debugfs dumpe2fs; do
  command -v "$tool" >/dev/null && continue
  printf '{"version": 1, "outcome": "Failed", "failure": {"reason": "ToolMissing", "message": "the builder needs %s"}}' "$tool" >"$GOLDSMITH_RESULT"
  exit 1
done

# Read the input, and refuse what this builder does not know.
input() { jq -r "$1" "$GOLDSMITH_INPUT"; }
[ "$(input .version)" = 1 ] || fail UnknownVersion "the input is not of version 1"
unknown=$(input '.parameters | keys - ["size"] | join(", ")')
[ -z "$unknown" ] || fail UnknownParameter "$unknown; the only parameter is size"
formats=$(input '[.targets[].format] | unique - ["raw"] | join(", ")')
[ -z "$formats" ] || fail UnknownFormat "$formats; the only format is raw"
size=$(input '.parameters.size // "64M"')
case ${size%[MG]} in
  "$size" | '' | 0* | *[!0-9]*) fail InvalidSize "size is \"$size\", must be a whole number with M or G, such as 64M" ;;
esac

# Write the files into a directory. jq prints one path a line, because no path has a line break.
work=$(mktemp -d)
root=$work/root
mkdir "$root"
input '.files | keys[]' >"$work/paths"
while IFS= read -r path; do
  case $path in */*) mkdir -p "$root/${path%/*}" ;; esac
  jq -j --arg path "$path" '.files[$path]' "$GOLDSMITH_INPUT" >"$root/$path"
  if head -c 2 "$root/$path" | grep -q '^#!'; then chmod 755 "$root/$path"; fi
done <"$work/paths"

# The inputs decide what is random elsewhere. E2FSPROGS_FAKE_TIME is the clock of e2fsprogs.
time=${SOURCE_DATE_EPOCH:-1704067200}
export SOURCE_DATE_EPOCH="$time" E2FSPROGS_FAKE_TIME="$time"
uuid=$(input '[.files, .parameters] | tojson' | sha256sum | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/')

for target in $(input '.targets[].name'); do
  echo "making $target: $(wc -l <"$work/paths") files, $size"
  image=$GOLDSMITH_OUTPUT/$(echo "$target" | tr / -).ext4
  mke2fs -q -t ext4 -d "$root" -U "$uuid" -E "hash_seed=$uuid" "$image" "$size" 2>"$work/errors" ||
    fail NotMade "$(tail -n 1 "$work/errors")"
  # mke2fs took owners and times from the directory. The inodes of the root and of the files get those of the image.
  last=$(dumpe2fs -h "$image" 2>/dev/null | awk '/^Inode count:/ { all = $3 } /^Free inodes:/ { print all - $3 }')
  for inode in 2 $(seq 11 "$last"); do
    for field in uid=0 gid=0 atime=@"$time" ctime=@"$time" mtime=@"$time" crtime=@"$time"; do
      echo "set_inode_field <$inode> ${field%=*} ${field#*=}"
    done
  done >"$work/fields"
  debugfs -w -f "$work/fields" "$image" >/dev/null 2>"$work/errors" || fail NotMade "$(tail -n 1 "$work/errors")"
done

# Goldsmith computes the digest and the size of each file.
input "{version: 1, outcome: \"Succeeded\", artifacts: [.targets[] |
  {target: .name, file: (.name | gsub(\"/\"; \"-\") + \".ext4\"), annotations: {uuid: \"$uuid\"}}]}" >"$GOLDSMITH_RESULT"
