# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the scripts share that put a program of others into a cluster. Sourced, never run.

# shellcheck source=build/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/build/tools.sh"

# image_of PROGRAM DOCKERFILE: the tag of its container image.
image_of() {
  local version=${path[$1]##*/"$1"-}
  echo "goldsmith/$1:${version%-*}-$(digest "${path[$1]##*/}" "$2" "$kind_directory/build/program-image")"
}

# need_image PROGRAM DOCKERFILE: Docker, the tools and the container image of a program are there. What is missing is built
# by one at a time. Sets image.
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

# connect CLUSTER: `kube` is kubectl for that cluster, whatever the user's kubeconfig says.
connect() {
  kubeconfig=$(mktemp)
  trap 'rm -f "$kubeconfig"' EXIT
  kind get kubeconfig --name "$1" >"$kubeconfig"
}

kube() {
  kubectl --kubeconfig "$kubeconfig" "$@"
}
