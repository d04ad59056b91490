#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs as root on a clean Debian without Go or a network, and does everything as a user without privileges.
# shellcheck disable=SC2016 # the inner shell expands
set -eux
useradd --create-home ann
exec runuser -u ann -- sh -euxc '
  cd ~
  sh /readme-tar.sh
  cd release/goldsmith
  ./goldsmith kubectl wait image web --for=condition=Ready --timeout=1m
  bash -c ". completions/goldsmith.bash"
  test -s man/man1/goldsmith.1
  test -s LICENSE
  timeout 5m ./goldsmith demo
'
