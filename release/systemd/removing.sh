#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs before goldsmith-server is removed. Arguments: those of dpkg (remove, or upgrade VERSION) or of rpm (0, or 1 for an upgrade). An upgrade
# restarts the service once the new files are there.
set -e

case "$1" in remove | 0) ;; *) exit 0 ;; esac
if [ ! -d /run/systemd/system ]; then exit 0; fi
if [ -n "${DPKG_MAINTSCRIPT_NAME:-}" ]; then
  deb-systemd-invoke stop goldsmith-server.service >/dev/null || true
else
  systemctl disable --now goldsmith-server.service >/dev/null 2>&1 || true
fi
