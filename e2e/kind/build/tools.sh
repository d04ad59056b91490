# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# kind, and the kubectl of the cluster's version. Sourced; `need_tools` sets tools, a directory for PATH,
# once the node image is chosen.

# shellcheck source=node-image.sh
source "$(dirname "${BASH_SOURCE[0]}")/node-image.sh"

need_tools() {
  local kubectl=${path[kubectl]}
  need kind
  if [[ $node_image == "$KIND_NODE_IMAGE" ]]; then
    # Compiling it takes minutes, and the node image has it.
    kubectl=$cache/bin/kubectl-of-$(digest "$KIND_NODE_IMAGE")
    if [[ ! -x $kubectl ]]; then
      need_node_image
      step "take kubectl from $KIND_NODE_IMAGE" "$kind_directory/build/kubectl-of" "$KIND_NODE_IMAGE" "$kubectl"
    fi
  else
    need kubectl
  fi
  tools=$cache/tools-${path[kind]##*-}-${kubectl##*-}
  mkdir -p "$tools"
  ln -sfn "${path[kind]}" "$tools/kind"
  ln -sfn "$kubectl" "$tools/kubectl"
  PATH=$tools:$PATH
}
