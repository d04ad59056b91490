#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs as root on a clean Debian without Go or a network, and does everything as a user without privileges.
# shellcheck disable=SC2016 # the inner shell expands
set -eux
useradd --create-home ann
exec runuser -u ann -- sh -euxc '
  cd ~
  mkdir bin
  tar --extract --gzip --file="$(ls /dist/goldsmith_*_linux_amd64.tar.gz)" --directory=bin
  ls -R bin
  export PATH="$HOME/bin:$PATH"
  goldsmith version --client
  . bin/completions/goldsmith.bash 2>/dev/null || true
  timeout 5m goldsmith demo
'
