# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The node image: kind's own where it is here or can be pulled, else one built from Go modules and Debian packages.
# Sourced; `choose_node_image` sets node_image, and `need_node_image` makes it be there.

# shellcheck source=binaries.sh
source "$(dirname "${BASH_SOURCE[0]}")/binaries.sh"

node_programs=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubeadm kubectl kubelet pause etcd etcdctl etcdutl coredns
  local-path-provisioner containerd ctr containerd-shim-runc-v2 crictl host-local loopback ptp portmap)

built_node_image() {
  local name paths=()
  for name in "${node_programs[@]}"; do paths+=("$name" "${path[$name]##*/}"); done
  echo "goldsmith/node:v$KUBERNETES-$(digest "$KIND" "$DEBIAN" "${paths[@]}" "$kind_directory"/node/* \
    "$kind_directory"/build/{rootfs,node-image,images})"
}

rootfs() {
  echo "$cache/rootfs-$DEBIAN-$(digest "$kind_directory/build/rootfs").tar"
}

is_here() {
  docker image inspect "$1" >/dev/null 2>&1
}

# KIND_NODE=pull or KIND_NODE=build forces one of the two ways. KIND_NODE=IMAGE sets another node image for kind, for example
# with another version of Kubernetes. A local image is preferred to an image in a registry.
choose_node_image() {
  local built
  built=$(built_node_image)
  case ${KIND_NODE:-auto} in
    pull) node_image=$KIND_NODE_IMAGE ;;
    build) node_image=$built ;;
    auto)
      if is_here "$KIND_NODE_IMAGE"; then
        node_image=$KIND_NODE_IMAGE
      elif is_here "$built" || ! timeout 8 docker manifest inspect "$KIND_NODE_IMAGE" >/dev/null 2>&1; then
        node_image=$built
      else
        node_image=$KIND_NODE_IMAGE
      fi
      ;;
    */*:*) KIND_NODE_IMAGE=$KIND_NODE node_image=$KIND_NODE ;;
    *) fail "KIND_NODE is '$KIND_NODE': it can be auto, pull, build or a node image, such as kindest/node:v1.36.4" ;;
  esac
}

need_node_image() {
  if is_here "$node_image"; then return; fi
  if [[ $node_image == "$KIND_NODE_IMAGE" ]]; then
    step "pull $node_image" docker pull --quiet "$node_image"
    return
  fi
  echo "building $node_image from Go modules and Debian packages" >&2
  need "${node_programs[@]}"
  if [[ ! -f $(rootfs) ]]; then
    install_packages mmdebstrap mmdebstrap debian-archive-keyring
    step "install Debian $DEBIAN into a root file system" "$kind_directory/build/rootfs" "$(rootfs)"
  fi
  step "assemble $node_image" "$kind_directory/build/node-image" "$node_image" "$(rootfs)"
}
