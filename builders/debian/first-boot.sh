#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lets packages make again what each machine has of its own, at its first boot: those whose names are in the file packages beside this one. It runs
# before services start, so it hides from their scripts the programs that would start them and wait.
set -u
here=${0%/*} hidden=$(mktemp -d)
for program in systemctl deb-systemd-invoke invoke-rc.d service; do ln -s /bin/true "$hidden/$program"; done
export PATH="$hidden:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" DEBIAN_FRONTEND=noninteractive HOME=/root DPKG_MAINTSCRIPT_NAME=postinst
failed=0
while read -r package; do
  DPKG_MAINTSCRIPT_PACKAGE="$package" "/var/lib/dpkg/info/$package.postinst" configure </dev/null || failed=1
done <"$here/packages"
rm -r "$hidden"
[ "$failed" = 0 ] && rm "$here/packages"
