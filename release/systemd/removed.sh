#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs after goldsmith-server was removed. Arguments: those of dpkg (remove or purge) or of rpm (0, or 1 after an upgrade). Only purge deletes data.
set -e

if [ -d /run/systemd/system ]; then systemctl daemon-reload >/dev/null || true; fi
if [ "$1" = remove ] && [ -n "${DPKG_MAINTSCRIPT_NAME:-}" ]; then deb-systemd-helper mask goldsmith-server.service >/dev/null || true; fi
if [ "$1" = purge ]; then
  if [ -n "${DPKG_MAINTSCRIPT_NAME:-}" ]; then
    deb-systemd-helper purge goldsmith-server.service >/dev/null || true
    deb-systemd-helper unmask goldsmith-server.service >/dev/null || true
  fi
  rm -rf /var/lib/goldsmith /var/cache/goldsmith
  if [ -d /etc/goldsmith ]; then rmdir --ignore-fail-on-non-empty /etc/goldsmith; fi
  if getent passwd goldsmith >/dev/null; then userdel goldsmith || true; fi
fi
