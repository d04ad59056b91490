# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Paths, and functions for the output of all scripts in e2e/kind. Sourced, never run.

kind_directory=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Outside of the checkout, so that later checkouts use the cache. Every path below it has a version and a digest of the recipe.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/goldsmith/kind
mkdir -p "$cache"
PATH=$PATH:/usr/sbin:/sbin # where Debian has dockerd and mmdebstrap's helpers, for users too
# shellcheck source=../versions.env
source "$kind_directory/versions.env"

fail() {
  echo "error: $*" >&2
  exit 1
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# step LABEL PROGRAM [ARGUMENT...] prints a line with the duration in seconds. It shows the program's output only on failure.
# Do not pass a function: errexit is off in a function that runs as a condition.
step() {
  local label=$1 begin=$SECONDS said
  shift
  said=$(mktemp)
  printf '%s ... ' "$label" >&2
  if "$@" >"$said" 2>&1; then
    printf '%d s\n' $((SECONDS - begin)) >&2
    rm -f "$said"
  else
    printf 'failed after %d s; the end of %s:\n' $((SECONDS - begin)) "$said" >&2
    tail -n 40 "$said" >&2
    exit 1
  fi
}

# digest WORD...: eight digits that change when a word does, or a text file that a word names. The shell does what it can without
# starting programs: a script needs some thirty digests before it does anything.
digest() {
  local word text=
  for word in "$@"; do
    text+=$'\n'$word
    if [[ -f $word ]]; then text+=$'\n'$(<"$word"); fi
  done
  text=${text#?}
  text=${text//"$kind_directory"/}
  text=$(sha256sum <<<"${text//"$cache"/}")
  echo "${text:0:8}"
}

# install_packages PROGRAM PACKAGE...: Debian packages, if the program that they bring is not there.
install_packages() {
  local program=$1
  shift
  if command -v "$program" >/dev/null; then return; fi
  command -v apt-get >/dev/null || fail "$program is missing, and this is no Debian to install it on"
  step "install $*" "$kind_directory/build/install-packages" "$@"
}

# bounded: this machine may not grant CAP_SYS_RESOURCE, which is bit 24, to a container.
bounded() {
  (($((16#$(sed -nE 's/^CapBnd:\s*//p' /proc/self/status) >> 24 & 1)) == 0))
}
