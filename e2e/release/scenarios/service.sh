#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs as root on a clean Debian with systemd, without Go or a network. /dist has the release, and /next has one of a later version.
set -eux
export DEBIAN_FRONTEND=noninteractive HOME=/root LC_ALL=C.UTF-8
useradd --create-home ann
echo 'ann ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ann
su --login ann --command 'USER=ann sh /readme-deb.sh'
systemctl is-active goldsmith-server
systemctl is-enabled goldsmith-server
journalctl --unit goldsmith-server --output cat | grep --quiet ready

# The unit permits what the builder debian does: namespaces and mounts, and tracing inside.
sed '/^Exec/d; s/^Type=.*/Type=oneshot/; /^\[Service\]/a ExecStart=bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev strace -f --seccomp-bpf --trace=execve --output=/dev/null true' \
  /usr/lib/systemd/system/goldsmith-server.service >/run/systemd/system/sandbox.service
systemctl daemon-reload
systemctl start sandbox || { journalctl --unit sandbox; exit 1; }

as_ann() { su --login ann --command "KUBECONFIG=~/goldsmith.kubeconfig $*"; }
attempts() { as_ann "goldsmith kubectl get imagebuild $1 -o jsonpath='{.status.attempts[*].number}'"; }

# A mistake in the settings fails the reload, and the server goes on.
process=$(systemctl show --property MainPID --value goldsmith-server)
cp /etc/goldsmith/server.yaml /root/server.yaml
echo 'workres: 1' >>/etc/goldsmith/server.yaml
if systemctl reload goldsmith-server; then exit 1; fi
journalctl --unit goldsmith-server --output cat | grep --quiet 'server.yaml:[0-9]*: unknown key workres: did you mean workers'
test "$process" = "$(systemctl show --property MainPID --value goldsmith-server)"
as_ann goldsmith status
cp /root/server.yaml /etc/goldsmith/server.yaml
systemctl reload goldsmith-server

# After a crash, and after an upgrade, a running build gets its next attempt.
as_ann "goldsmith build web --parameter duration=1h >build.txt"
build=$(sed 's#.*/##; s/ .*//' /home/ann/build.txt)
as_ann "goldsmith kubectl wait imagebuild $build --for=jsonpath='{.status.phase}'=Running --timeout=1m"
kill -KILL "$process"
until test "$(systemctl show --property MainPID --value goldsmith-server)" != "$process" && systemctl is-active goldsmith-server; do sleep 0.2; done
until test "$(attempts "$build")" = '1 2'; do sleep 0.2; done
apt-get install -y /next/goldsmith_*_amd64.deb /next/goldsmith-server_*_all.deb
systemctl is-active goldsmith-server
until test "$(attempts "$build")" = '1 2 3'; do sleep 0.2; done
as_ann goldsmith cancel "$build"

# An upgrade with a mistake in the settings leaves the server that runs.
process=$(systemctl show --property MainPID --value goldsmith-server)
echo 'workres: 1' >>/etc/goldsmith/server.yaml
apt-get install -y --allow-downgrades /dist/goldsmith_*_amd64.deb /dist/goldsmith-server_*_all.deb 2>&1 | tee /root/upgrade.txt
grep --quiet 'unknown key workres' /root/upgrade.txt
test "$process" = "$(systemctl show --property MainPID --value goldsmith-server)"
as_ann goldsmith kubectl get images
cp /root/server.yaml /etc/goldsmith/server.yaml

# An upgrade leaves a service that the administrator has stopped. An installation after a removal starts it.
systemctl stop goldsmith-server
apt-get install -y /next/goldsmith_*_amd64.deb /next/goldsmith-server_*_all.deb
if systemctl is-active goldsmith-server; then exit 1; fi
apt-get remove -y goldsmith-server
apt-get install -y /next/goldsmith-server_*_all.deb
as_ann goldsmith kubectl get images

systemctl stop goldsmith-server
apt-get purge -y goldsmith-server goldsmith
if systemctl cat goldsmith-server; then exit 1; fi
if test -e /var/lib/goldsmith; then exit 1; fi
