# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Remembers which targets of make have passed on which tree and node image, with the JUnit reports of each. Sourced by targets.

passed=${XDG_CACHE_HOME:-$HOME/.cache}/goldsmith/passed

# tree_digest prints the digest of the current working tree, of all files that git does not ignore. If KIND_NODE is set, it prints a
# digest of KIND_NODE as well. Neither the index nor the objects of the repository change.
tree_digest() {
  local scratch objects digest
  scratch=$(mktemp -d)
  objects=$(git rev-parse --path-format=absolute --git-path objects)
  mkdir "$scratch/objects"
  cp "$(git rev-parse --git-path index)" "$scratch/index" # what has not changed is not read again
  digest=$(
    export GIT_INDEX_FILE=$scratch/index GIT_OBJECT_DIRECTORY=$scratch/objects GIT_ALTERNATE_OBJECT_DIRECTORIES=$objects
    git add --all && git write-tree
  )
  rm -rf "$scratch"
  [[ -z ${KIND_NODE:-} ]] || digest+=-$(sha256sum <<<"$KIND_NODE" | head --bytes=8)
  printf '%s\n' "$digest"
}

# keep_passed TREE TARGET, once it has passed.
keep_passed() {
  local kept
  mkdir -p "$passed" && # a caller that handles failure has turned errexit off
    find "$passed" -mindepth 1 -maxdepth 1 -mtime +6 -exec rm -rf {} + &&
    kept=$(mktemp -d "$passed/.XXXXXX") &&
    cp -R "bin/reports/$2/." "$kept" &&
    rm -rf "${passed:?}/$1-$2" &&
    mv "$kept" "$passed/$1-$2"
}

# restore_passed TREE TARGET brings back the reports of a target that has passed, and fails where it has not.
restore_passed() {
  [[ -d $passed/$1-$2 ]] || return 1
  mkdir -p "bin/reports/$2"
  cp -R "$passed/$1-$2/." "bin/reports/$2"
}

# seconds_of TARGET prints how long make took for it.
seconds_of() {
  sed -nE 's/.*<testsuite name="make" time="([0-9]+)".*/\1/p' "bin/reports/$1/make.xml"
}
