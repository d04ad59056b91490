# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared functions of the scripts for PostgreSQL. Sourced, never run.

# shellcheck source=../inside.sh
source "$(dirname "${BASH_SOURCE[0]}")/../inside.sh"

postgres_rootfs() {
  echo "$cache/postgres-$DEBIAN-$(digest "$kind_directory/postgres/rootfs").tar"
}

postgres_image() {
  echo "goldsmith/postgres:$DEBIAN-$(digest "$DEBIAN" "$kind_directory"/postgres/{rootfs,image})"
}

# need_postgres ensures that Docker, the tools and the container image of PostgreSQL exist. Only one process at a time builds
# missing parts. Sets image.
need_postgres() {
  "$kind_directory/docker/start"
  exec 9>"$cache/lock"
  flock 9
  choose_node_image
  need_tools
  image=$(postgres_image)
  if ! is_here "$image"; then
    if [[ ! -f $(postgres_rootfs) ]]; then
      install_packages mmdebstrap mmdebstrap debian-archive-keyring
      step "install PostgreSQL of Debian $DEBIAN into a root file system" "$kind_directory/postgres/rootfs" "$(postgres_rootfs)"
    fi
    step "assemble $image" "$kind_directory/postgres/image" "$image" "$(postgres_rootfs)"
  fi
  exec 9>&-
}
