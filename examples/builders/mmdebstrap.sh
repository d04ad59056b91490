#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A builder for Goldsmith: wraps another tool. mmdebstrap installs a Debian system, and the artifact is the tar of its root file
# system, which "docker import" reads, with a lock that lists its packages. The same packages make the same bytes.
# Needs jq, mmdebstrap, fakechroot and fakeroot, a mirror of Debian, and no privileges.
#
# base        reference debian:SUITE, such as debian:bookworm
# targets     format oci: the artifact is the only layer of an image
# parameters  packages: packages to install, separated by commas
#             mirror: URL of the mirror; by default that of mmdebstrap
set -eu
umask 022
export PATH="${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}" SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1704067200}"

fail() { # REASON MESSAGE [RETRYABLE]
  echo "$1: $2"
  jq -n --arg reason "$1" --arg message "$2" --argjson retryable "${3:-false}" \
    '{version: 1, outcome: "Failed", failure: {reason: $reason, message: $message, retryable: $retryable}}' >"$GOLDSMITH_RESULT"
  exit 1
}
for tool in jq mmdebstrap; do
  command -v "$tool" >/dev/null && continue
  printf '{"version": 1, "outcome": "Failed", "failure": {"reason": "ToolMissing", "message": "the builder needs %s"}}' "$tool" >"$GOLDSMITH_RESULT"
  exit 1
done

input() { jq -r "$1" "$GOLDSMITH_INPUT"; }
[ "$(input .version)" = 1 ] || fail UnknownVersion "the input is not of version 1"
unknown=$(input '.parameters | keys - ["mirror", "packages"] | join(", ")')
[ -z "$unknown" ] || fail UnknownParameter "$unknown; the parameters are mirror and packages"
formats=$(input '[.targets[].format] | unique - ["oci"] | join(", ")')
[ -z "$formats" ] || fail UnknownFormat "$formats; the only format is oci"
# Values become arguments of mmdebstrap, which takes options and commands there. So each must have its form.
expect() { # FIELD FORM REASON MESSAGE
  jq -e --arg form "\\A($2)\\z" "$1 | test(\$form)" "$GOLDSMITH_INPUT" >/dev/null || fail "$3" "$4"
}
name='[a-z0-9][a-z0-9+.-]*'
expect '.base.reference // ""' 'debian:[a-z]+' UnknownBase "the reference of the base must be debian:SUITE, such as debian:bookworm"
expect '.parameters.packages // ""' "($name(,$name)*)?" InvalidPackages "packages must be names of packages, separated by commas"
expect '.parameters.mirror // ""' '(https?://[!-~]+)?' InvalidMirror "mirror must be a URL that begins with http:// or https://"
suite=$(input '.base.reference | ltrimstr("debian:")')
packages=$(input '.parameters.packages // ""')
mirror=$(input '.parameters.mirror // ""')

# The tool gets directories that are writable, and an empty home. A fake chroot needs neither mounts nor namespaces.
work=$(mktemp -d)
export HOME="$work" TMPDIR="$work"
for target in $(input '.targets[].name'); do
  architecture=${target#*/}
  case ${architecture%/oci} in
    386) architecture=i386 ;;
    arm/v7) architecture=armhf ;;
    ppc64le) architecture=ppc64el ;;
    *) architecture=${architecture%/oci} ;;
  esac
  tar=$GOLDSMITH_OUTPUT/$(echo "$target" | tr / -).tar
  echo "making $target: suite $suite, packages ${packages:-of the suite only}"
  {
    mmdebstrap --mode=fakechroot --variant=minbase --format=tar --architectures="$architecture" ${packages:+"--include=$packages"} \
      "$suite" "$tar" ${mirror:+"$mirror"} 2>&1 || touch "$work/failed"
  } | tee "$work/log"
  if [ ! -e "$work/failed" ]; then
    # The lock: dpkg has a paragraph for each package, and an empty line at the end.
    tar --extract --to-stdout --file "$tar" ./var/lib/dpkg/status | jq -Rs '{version: 1, distribution: {id: "debian"}, packages: [split("\n\n")[] |
      split("\n") | map(capture("^(?<key>Package|Status|Version|Architecture): (?<value>.*)")) | from_entries |
      select(.Status // "" | endswith(" installed")) | {name: .Package, version: .Version, architecture: .Architecture}]}' >"$tar.lock.json"
    continue
  fi
  # A failure of the network may not repeat: Goldsmith tries again.
  if grep -qE 'Could not (resolve|connect)|Unable to connect|Connection timed out| 50[234] ' "$work/log"; then
    fail MirrorUnavailable "$(tail -n 1 "$work/log")" true
  fi
  fail NotInstalled "$(tail -n 1 "$work/log")"
done

input '{version: 1, outcome: "Succeeded", artifacts: [.targets[] | {target: .name, file: (.name | gsub("/"; "-") + ".tar"),
  mediaType: "application/vnd.oci.image.layer.v1.tar", lock: {file: (.name | gsub("/"; "-") + ".tar.lock.json")}}]}' >"$GOLDSMITH_RESULT"
