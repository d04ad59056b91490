# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared functions of the scripts for Kueue. Sourced, never run.

# shellcheck source=../inside.sh
source "$(dirname "${BASH_SOURCE[0]}")/../inside.sh"

# need_kueue: Docker, the tools and the container image of Kueue's controller are there.
need_kueue() {
  need_image kueue "$kind_directory/kueue/Dockerfile"
}

kueue_image() {
  image_of kueue "$kind_directory/kueue/Dockerfile"
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
