# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared functions of the scripts that install third-party programs in a cluster. Sourced, never run.

# shellcheck source=build/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/build/tools.sh"

# image_of PROGRAM DOCKERFILE: the tag of its container image.
image_of() {
  local version=${path[$1]##*/"$1"-}
  echo "goldsmith/$1:${version%-*}-$(digest "${path[$1]##*/}" "$2" "$kind_directory/build/program-image")"
}

# need_image PROGRAM DOCKERFILE ensures that Docker, the tools and the container image of a program exist. Only one process at
# a time builds missing parts. Sets image.
need_image() {
  "$kind_directory/docker/start"
  exec 9>"$cache/lock"
  flock 9
  choose_node_image
  need_tools
  need "$1"
  image=$(image_of "$1" "$2")
  if ! is_here "$image"; then step "assemble $image" "$kind_directory/build/program-image" "$image" "$2" "${path[$1]}"; fi
  exec 9>&-
}

# connect CLUSTER makes `kube` the kubectl for that cluster, independently of the user's kubeconfig.
connect() {
  kubeconfig=$(mktemp)
  trap 'rm -f "$kubeconfig"' EXIT
  kind get kubeconfig --name "$1" >"$kubeconfig"
}

kube() {
  kubectl --kubeconfig "$kubeconfig" "$@"
}
