#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs as root on a clean Debian with rpm, without Go, systemd or a network: the database of rpm is empty, so dependencies are not asked for.
set -eux
rpm="rpm --nodeps"
$rpm --install /dist/goldsmith-[0-9]*.x86_64.rpm /dist/goldsmith-server-*.noarch.rpm /dist/goldsmith-builder-debian-*.noarch.rpm
goldsmith version --client
getent passwd goldsmith
test "$(stat --format='%U %a' /var/lib/goldsmith)" = 'goldsmith 700'
rpm --query --requires goldsmith-server
$rpm --verify goldsmith goldsmith-server
echo 'max-builds: 1' >>/etc/goldsmith/server.yaml
touch /var/lib/goldsmith/data
$rpm --upgrade /next/goldsmith-[0-9]*.x86_64.rpm /next/goldsmith-server-*.noarch.rpm
grep --quiet '^max-builds: 1' /etc/goldsmith/server.yaml
$rpm --erase goldsmith-server goldsmith goldsmith-builder-debian
test -e /var/lib/goldsmith/data
if test -e /usr/bin/goldsmith; then exit 1; fi
