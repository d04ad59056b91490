# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts for Kueue share. Sourced, never run.

# shellcheck source=../build/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/../build/tools.sh"

# need_kueue: Docker, the tools and the container image of Kueue's controller are there. What is missing is built by one
# at a time.
need_kueue() {
  "$kind_directory/docker/start"
  exec 9>"$cache/lock"
  flock 9
  choose_node_image
  need_tools
  need kueue
  image=$(kueue_image)
  if ! is_here "$image"; then step "assemble $image" "$kind_directory/kueue/image" "$image"; fi
  exec 9>&-
}

# connect CLUSTER: `kube` is kubectl for that cluster, whatever the user's kubeconfig says.
connect() {
  kubeconfig=$(mktemp)
  trap 'rm -f "$kubeconfig"' EXIT
  kind get kubeconfig --name "$1" >"$kubeconfig"
}

kube() {
  kubectl --kubeconfig "$kubeconfig" "$@"
}

kueue_image() {
  echo "goldsmith/kueue:v$KUEUE-$(digest "${path[kueue]##*/}" "$kind_directory"/kueue/{image,Dockerfile})"
}

# manifests IMAGE: those of Kueue's module, as kustomization.yaml wants them.
manifests() {
  local work source_directory
  work=$(mktemp -d)
  source_directory=$(cd / && go mod download -json "sigs.k8s.io/kueue@v$KUEUE" | sed -nE 's/^\s*"Dir": "(.*)",$/\1/p')
  cp -r --no-preserve=mode "$source_directory/config" "$work"
  cp "$kind_directory"/kueue/*.yaml "$work"
  sed -i "s#@IMAGE@#$1#" "$work/kustomization.yaml"
  kubectl kustomize "$work"
  rm -rf "$work"
}
