#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs as root on a clean Debian without Go, systemd or a network. /dist has the release, and /next has one of a later version.
# shellcheck disable=SC2016 # the inner shell expands
set -eux
if command -v go; then exit 1; fi

apt-get install -y /dist/goldsmith_*_amd64.deb /dist/goldsmith-server_*_all.deb /dist/goldsmith-builder-debian_*_all.deb
goldsmith version --client
kubectl-goldsmith version --client
test -s /usr/share/man/man1/goldsmith-up.1.gz
test -s /usr/share/bash-completion/completions/goldsmith
getent passwd goldsmith
test "$(stat --format='%U %a' /var/lib/goldsmith)" = 'goldsmith 700'
grep --quiet '^data-dir: /var/lib/goldsmith' /etc/goldsmith/server.yaml

# Without systemd, a person starts the server, and builds.
useradd --create-home ann
runuser -u ann -- sh -euxc '
  cd ~
  goldsmith up >up.txt 2>&1 &
  server=$!
  until test -e .goldsmith/kubeconfig; do kill -0 $server || { cat up.txt; exit 1; }; sleep 0.1; done
  goldsmith init web --builder mock
  goldsmith kubectl apply -f web.yaml
  goldsmith logs web -f
  goldsmith kubectl wait image web --for=condition=Ready --timeout=1m
  kill $server
  wait $server
'

# An upgrade keeps what the administrator has changed, and data.
echo 'max-builds: 1' >>/etc/goldsmith/server.yaml
touch /var/lib/goldsmith/data
apt-get install -y /next/goldsmith_*_amd64.deb /next/goldsmith-server_*_all.deb
test "$(goldsmith version --client)" = "Client Version: v$(dpkg-query --showformat='${Version}' --show goldsmith | tr '~' '-')"
grep --quiet '^max-builds: 1' /etc/goldsmith/server.yaml
test -e /var/lib/goldsmith/data

apt-get remove -y goldsmith-server
test -e /var/lib/goldsmith/data
test -e /etc/goldsmith/server.yaml
apt-get purge -y goldsmith-server goldsmith goldsmith-builder-debian
for path in /var/lib/goldsmith /etc/goldsmith /usr/bin/goldsmith /usr/lib/systemd/system/goldsmith-server.service; do
  if test -e $path; then exit 1; fi
done
if getent passwd goldsmith; then exit 1; fi

# What the administrator had before stays: a user of this name, a group, and the file system of the data.
useradd --create-home goldsmith
apt-get install -y /dist/goldsmith_*_amd64.deb /dist/goldsmith-server_*_all.deb
mount -t tmpfs tmpfs /var/lib/goldsmith
touch /var/lib/goldsmith/data
apt-get purge -y goldsmith-server
getent passwd goldsmith
test -z "$(ls /var/lib/goldsmith)"
umount /var/lib/goldsmith && rmdir /var/lib/goldsmith
userdel --remove goldsmith && groupadd goldsmith
apt-get install -y /dist/goldsmith-server_*_all.deb
test "$(stat --format='%U %G' /var/lib/goldsmith)" = 'goldsmith goldsmith'
