#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Unpacks the root file system of the base: PLAN/base.tar, or that of the disk PLAN/base.raw, which begins at byte PLAN/offset. The
# sources of apt are those of this build, which are there already. Those of the base are in PLAN/apt: customize.sh puts them back. So a source
# of the base need not be reachable. Failures are those of customize.sh.   usage: PLAN/unpack ROOT
set -eu
plan=${0%/*} root=$1
mkdir "$plan/apt"
mv "$root/etc/apt/sources.list.d" "$plan/build.d"

if [ -e "$plan/base.tar" ]; then
  tar --extract --directory "$root" --file "$plan/base.tar" --numeric-owner --xattrs --xattrs-include='*' --exclude=./etc/apt/apt.conf.d/99mmdebstrap --exclude=./etc/dpkg/dpkg.cfg.d/99mmdebstrap \
    --transform="flags=s;s,^/,$root/," --transform="flags=s;s,^$root/\\(dev\\|proc\\|sys\\)/,/\\1/,"
else
  disk="$plan/base.raw?offset=$(cat "$plan/offset")"
  mkdir "$plan/tree"
  debugfs -R "rdump / \"$plan/tree\"" "$disk" 2>&1 # into an empty directory only
  (cd "$plan/tree" && rm -rf lost+found etc/apt/apt.conf.d/99mmdebstrap etc/dpkg/dpkg.cfg.d/99mmdebstrap)
  cp --archive --link --force "$plan/tree/." "$root" # mmdebstrap has begun a root file system there
  rm -rf "$plan/tree"
  # debugfs leaves out set-user-ID, set-group-ID and sticky bits, and capabilities. It is asked for them: ls -p prints /INODE/MODE/USER/GROUP/NAME/SIZE/.
  (cd "$root" && find . -xdev -type d -printf 'ls -p "/%P"\n' -o -type f -perm /111 -printf 'ea_get -x "/%P" security.capability\n') >"$plan/questions"
  debugfs -f "$plan/questions" "$disk" 2>/dev/null >"$plan/answers"
  awk -F / '
    /^debugfs: / { path = $0; sub(/^[^"]*"/, "", path); sub(/"[^"]*$/, "", path); if (path == "/") path = ""; next }
    /^security.capability/ { sub(/^[^=]*= */, ""); gsub(/ /, ""); print "capability 0x" $0 " " path; next }
    $3 ~ /^(04|10)[1-7][0-7][0-7][0-7]$/ { print "mode " substr($3, 3) " " ($6 == "." ? path : path "/" $6) }
  ' "$plan/answers" | grep -v '/\.\.$' >"$plan/extras"
  while read -r what value path; do
    case $what in
      mode) chmod "$value" "$root$path" ;;
      capability) setfattr --name security.capability --value "$value" "$root$path" ;;
    esac
  done <"$plan/extras"
fi
# In a fake chroot the kernel follows absolute links outside of it. So fakechroot writes each with the path of the root file system, and hides that.
# The options of tar do so, too, and keep the times of links and directories.
tab=$(printf '\t')
[ -e "$plan/base.tar" ] || find "$root" -xdev -type l -lname '/*' -not -lname '/dev/*' -not -lname '/proc/*' -not -lname '/sys/*' -printf '%p\t%l\n' |
  while IFS="$tab" read -r link target; do ln -sfn -- "$root$target" "$link"; done
if [ ! -e "$root/var/lib/dpkg/status" ] || ! grep -qx 'VERSION_CODENAME=trixie' "$root/usr/lib/os-release"; then
  printf '%s\n%s\n\n' BaseNotUsable "the base is not Debian trixie" >"$plan/failure"
  exit 1
fi
for name in sources.list sources.list.d; do
  if [ -e "$root/etc/apt/$name" ]; then mv "$root/etc/apt/$name" "$plan/apt"; fi
done
mv "$plan/build.d" "$root/etc/apt/sources.list.d"
