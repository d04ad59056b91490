# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is left to do inside of the node image. Run in a container of it that has /preload, a directory on no overlay.
set -euo pipefail

# systemd in a container: nothing that is for machines, no kernel log, and the services of a node.
rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* /lib/systemd/system/local-fs.target.wants/* \
  /lib/systemd/system/sockets.target.wants/*udev* /lib/systemd/system/sockets.target.wants/*initctl* \
  /lib/systemd/system/basic.target.wants/* /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
echo ReadKMsg=no >>/etc/systemd/journald.conf
ln -sf /usr/lib/systemd/systemd /sbin/init
systemctl --quiet enable kubelet containerd undo-mount-hacks pod-network
systemctl --quiet mask systemd-binfmt.service
mkdir -p /etc/kubernetes/manifests

ctr oci spec | jq '.hooks.createContainer = [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
  >/etc/containerd/cri-base.json

# The images go into containerd's store, and are unpacked by each node when it needs them.
containerd --root /preload/containerd >/preload/log 2>&1 &
containerd=$!
for ((tries = 0; tries < 100; tries++)); do
  if ctr version >/dev/null 2>&1; then break; fi
  sleep 0.1
done
ctr --namespace k8s.io images import --label io.cri-containerd.pinned=pinned --all-platforms --no-unpack --digests --local \
  /preload/images.tar || { tail -n 20 /preload/log; exit 1; }
kill "$containerd"
wait "$containerd" || true
mkdir -p /var/lib/containerd
cp -a /preload/containerd/. /var/lib/containerd
