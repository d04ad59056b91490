# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Every program of a cluster, and how each is built. Sourced; `need NAME...` builds what is missing.

# shellcheck source=environment.sh
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

declare -A path recipe # by name; a path names the version and a digest of the recipe

# program NAME MODULE@VERSION PACKAGE [VARIABLE=VALUE...]
program() {
  local name=$1 IFS=$'\n'
  shift
  recipe[$name]="$*"
  path[$name]=$cache/bin/$name-${1#*@}-$(digest "$kind_directory/build/go-binary" "$@")
}

need() {
  local name arguments
  for name in "$@"; do
    if [[ -x ${path[$name]} ]]; then continue; fi
    mkdir -p "$cache/bin"
    if [[ $name == pause ]]; then
      install_packages cc gcc libc6-dev
      step "build pause" "$kind_directory/build/pause" "${path[$name]}"
      continue
    fi
    mapfile -t arguments <<<"${recipe[$name]}"
    if [[ ${recipe[$name]} == *CGO_ENABLED=1* ]]; then install_packages cc gcc libc6-dev; fi
    step "build $name ${arguments[0]#*@}" \
      "$kind_directory/build/go-binary" "${arguments[0]}" "${arguments[1]}" "${path[$name]}" "${arguments[@]:2}"
  done
}

declare_programs() {
  local name minor=${KUBERNETES#1.} version=k8s.io/component-base/version
  # Placeholders for the date and the commit: without them `kubectl version` and the API server's /version are empty.
  local stamp="-X $version.gitVersion=v$KUBERNETES -X $version.gitMajor=1 -X $version.gitMinor=${minor%.*}"
  stamp+=" -X $version.gitTreeState=clean -X $version.gitCommit=$(printf '0%.0s' {1..40}) -X $version.buildDate=1970-01-01T00:00:00Z"
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubeadm kubectl kubelet; do
    program "$name" "k8s.io/kubernetes@v$KUBERNETES" "k8s.io/kubernetes/cmd/$name" "LDFLAGS=$stamp"
  done
  path[pause]=$cache/bin/pause-v$KUBERNETES-$(digest "$kind_directory/build/pause")
  recipe[pause]=

  program kind "sigs.k8s.io/kind@v$KIND" sigs.k8s.io/kind
  program etcd "go.etcd.io/etcd/server/v3@v$ETCD" go.etcd.io/etcd/server/v3
  for name in etcdctl etcdutl; do program "$name" "go.etcd.io/etcd/$name/v3@v$ETCD" "go.etcd.io/etcd/$name/v3"; done
  program coredns "github.com/coredns/coredns@v$COREDNS" github.com/coredns/coredns
  program crictl "sigs.k8s.io/cri-tools@v$CRICTL" sigs.k8s.io/cri-tools/cmd/crictl \
    "LDFLAGS=-X sigs.k8s.io/cri-tools/pkg/version.Version=v$CRICTL"
  program local-path-provisioner "github.com/rancher/local-path-provisioner@v$LOCAL_PATH_PROVISIONER" \
    github.com/rancher/local-path-provisioner "LDFLAGS=-X main.VERSION=v$LOCAL_PATH_PROVISIONER"
  program kueue "sigs.k8s.io/kueue@v$KUEUE" sigs.k8s.io/kueue/cmd/kueue "LDFLAGS=-X sigs.k8s.io/kueue/pkg/version.GitVersion=v$KUEUE"
  program versitygw "github.com/versity/versitygw@v$VERSITYGW" github.com/versity/versitygw/cmd/versitygw "LDFLAGS=-X main.Version=v$VERSITYGW"
  for name in ipam/host-local main/loopback main/ptp meta/portmap; do
    program "${name#*/}" "github.com/containernetworking/plugins@v$CNI" "github.com/containernetworking/plugins/plugins/$name"
  done

  local containerd_module=github.com/containerd/containerd/v2 tags=no_btrfs,no_zfs,no_devmapper,no_aufs cgo
  for name in containerd ctr containerd-shim-runc-v2; do
    cgo=0
    if [[ $name == containerd ]]; then cgo=1; fi
    program "$name" "$containerd_module@v$CONTAINERD" "$containerd_module/cmd/$name" "CGO_ENABLED=$cgo" "TAGS=$tags" \
      "LDFLAGS=-X $containerd_module/version.Version=v$CONTAINERD"
  done
}
declare_programs
