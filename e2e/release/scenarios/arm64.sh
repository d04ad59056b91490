#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the program of arm64 in an emulator, as a user without privileges.
# shellcheck disable=SC2016 # the inner shell expands
set -eux
useradd --create-home ann
exec runuser -u ann -- sh -euxc '
  cd ~
  tar --extract --gzip --file="$(ls /dist/goldsmith_*_linux_arm64.tar.gz)" goldsmith
  ./goldsmith version --client
  ./goldsmith up --memory >up.txt 2>&1 &
  server=$!
  until test -e .goldsmith/kubeconfig; do kill -0 $server || { cat up.txt; exit 1; }; sleep 0.1; done
  ./goldsmith init web --builder mock
  ./goldsmith kubectl apply -f web.yaml
  ./goldsmith logs web -f
  kill $server
  wait $server
'
