#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Answers like hostname(1) on the machine. The kernel has the host name of the builder, which a build cannot change. fakechroot runs this script, outside of
# the fake chroot, instead of hostname, dnsdomainname and uname.   usage: hostname [OPTION]
set -u
root=$FAKECHROOT_BASE_ORIG
name=
read -r name 2>/dev/null <"$root/etc/hostname"
: "${name:=localhost}"
# The address, and the names of the line of hosts with the name.
line=$(awk -v name="$name" '{ sub(/#.*/, ""); for (i = 2; i <= NF; i++) if ($i == name) { print; exit } }' "$root/etc/hosts" 2>/dev/null)
address=${line%%[[:blank:]]*}
full=$(echo "${line#"$address"}" | awk '{ print $1 }')
: "${full:=$name}"

case ${FAKECHROOT_CMD_ORIG##*/} in
  dnsdomainname) set -- --domain ;;
  uname)
    case "$*" in -n | --nodename) set -- ;; *) exec uname "$@" ;; esac
    ;;
esac
case "$*" in
  "") echo "$name" ;;
  -s | --short) echo "${name%%.*}" ;;
  -f | --fqdn | --long | -A | --all-fqdns) echo "$full" ;;
  -d | --domain) case $full in *.*) echo "${full#*.}" ;; esac ;;
  -i | --ip-address) echo "${address:-127.0.1.1}" ;;
  *) exec hostname "$@" ;;
esac
