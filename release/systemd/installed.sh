#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs after goldsmith-server was installed or upgraded. Arguments: those of dpkg (configure [FORMER-VERSION]) or of rpm (1 or 2).
set -e

unit=goldsmith-server.service
data=/var/lib/goldsmith
case "$1" in configure | abort-upgrade | abort-deconfigure | abort-remove | 1 | 2) ;; *) exit 0 ;; esac

if ! getent passwd goldsmith >/dev/null; then
  group=--user-group
  if getent group goldsmith >/dev/null; then group=--gid=goldsmith; fi
  useradd --system $group --home-dir "$data" --no-create-home --shell /usr/sbin/nologin --comment 'server of Goldsmith' goldsmith
fi
# Below /var/lib, where every user could make a link, only root can: the service makes the rest.
if [ ! -e "$data" ]; then install -d -o goldsmith -g "$(id -g goldsmith)" -m 0700 "$data"; fi

# A service that the administrator has stopped stays so in an upgrade. The removal of the package masks the unit.
action=restart
if [ "$1" != abort-remove ] && [ -n "${2:-}" ] && [ ! -L "/etc/systemd/system/$unit" ]; then action=try-restart; fi
if [ -n "${DPKG_MAINTSCRIPT_NAME:-}" ]; then
  deb-systemd-helper unmask "$unit" >/dev/null || true
  if deb-systemd-helper --quiet was-enabled "$unit"; then
    deb-systemd-helper enable "$unit" >/dev/null || true
  else
    deb-systemd-helper update-state "$unit" >/dev/null || true
  fi
elif [ "$1" = 1 ] && command -v systemctl >/dev/null; then
  systemctl preset "$unit" >/dev/null 2>&1 || true
fi

if [ ! -d /run/systemd/system ]; then
  echo "goldsmith-server: systemd does not run here: start a server with goldsmith up"
  exit 0
fi
systemctl daemon-reload || true
# A mistake in the file must not end the server that runs with the former one.
if ! runuser -u goldsmith -- /usr/bin/goldsmith up --config /etc/goldsmith/server.yaml --check; then
  echo "goldsmith-server: correct /etc/goldsmith/server.yaml, then run: systemctl restart $unit" >&2
  exit 0
fi
if [ -n "${DPKG_MAINTSCRIPT_NAME:-}" ]; then
  deb-systemd-invoke $action "$unit" >/dev/null || echo "goldsmith-server: the service did not start: journalctl -u $unit" >&2
elif [ "$1" = 2 ]; then
  systemctl try-restart "$unit" || echo "goldsmith-server: the service did not start: journalctl -u $unit" >&2
fi
