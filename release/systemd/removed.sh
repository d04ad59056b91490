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
  for directory in /var/lib/goldsmith /var/cache/goldsmith; do rm -rf $directory || mountpoint -q $directory; done # a file system stays, without files
  if [ -d /etc/goldsmith ]; then rmdir --ignore-fail-on-non-empty /etc/goldsmith; fi
  # A user of this name that was there before has another home.
  case "$(getent passwd goldsmith)" in *:/var/lib/goldsmith:*) userdel goldsmith || true ;; esac
fi
