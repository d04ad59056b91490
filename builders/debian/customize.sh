#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Applies a plan to a root file system in which the packages are installed. It runs outside of the fake chroot. What the plan declares is
# only data here: no text of it is part of a command line that a shell reads.
# A failure is three lines in PLAN/failure: reason, message, last lines of the output.   usage: PLAN/customize ROOT
set -eu
plan=${0%/*} root=$1 builder=${BUILDER:-/debian-builder}

fail() { # REASON MESSAGE [OUTPUT]
  printf '%s\n%s\n%s\n' "$1" "$2" "$(printf %s "${3:-}" | tr '\n' ' ')" >"$plan/failure"
  exit 1
}
# Every path is looked up in the fake chroot, because a symbolic link of the image may be absolute.
inside() { DEBIAN_FRONTEND=noninteractive HOME=/root chroot "$root" "$@"; }
# Programs find the libraries of the base, of packages, and of scripts.
libraries() { "$builder" libraries "$plan/libraries" "$root"; }

# mmdebstrap has written the list of the build. The sources of the base come back, except for the list of the build that made it.
own=etc/apt/sources.list.d/0000sources.list
cp "$root/$own" "$plan/build.list"
if [ -e "$plan/apt" ]; then
  find "$plan/apt" -name "${own##*/}" -exec mv {} "$plan/base.list" \;
  find "$plan/apt" -mindepth 2 -maxdepth 2 -exec mv {} "$root/etc/apt/sources.list.d" \;
  find "$plan/apt" -name sources.list -exec mv {} "$root/etc/apt" \;
fi

# Only an image that adds to another one has this list. mmdebstrap has installed the packages of other images.
libraries
if [ -e "$plan/packages" ]; then
  if [ -s "$plan/packages" ]; then
    # Names only: an architecture after a name leaves no + or - at its end for an operator, and apt takes no name for a regular expression.
    sed 's/^[^=]*/&:amd64/' "$plan/packages" |
      DEBIAN_FRONTEND=noninteractive xargs chroot "$root" apt-get --yes --no-install-recommends -oAPT::Cmd::Pattern-Only=true install
  fi
fi
if [ -e "$plan/packages" ] && [ ! -e "$plan/keep" ]; then
  # The disk has another UUID than that of the base.
  read -r uuid <"$plan/uuid"
  old=$(inside sed -n 's/.* root=UUID=\([^ ]*\).*/\1/p' /boot/grub/grub.cfg | head -n 1)
  [ -n "$old" ] || fail BaseNotUsable "the base is not an image of the builder debian: /boot/grub/grub.cfg has no root=UUID="
  inside sed -i "s/UUID=$old/UUID=$uuid/" /boot/grub/grub.cfg /etc/fstab
fi

# In a fake chroot, what a script of a package makes as another user belongs to root: PostgreSQL could not read its database. It gets the owner of
# its directory. What is of the package itself or of the base keeps its owner.
# shellcheck disable=SC2016 # the shell in the fake chroot expands them
inside sh -c 'cat /var/lib/dpkg/info/*.list | sort -u >/tmp/.goldsmith-packaged
find / -xdev -type d ! -user root | while IFS= read -r directory; do
  find "$directory" -xdev -mindepth 1 -user root -newermt "@$SOURCE_DATE_EPOCH" | sort | comm -23 - /tmp/.goldsmith-packaged | while IFS= read -r file; do
    chown --no-dereference --reference="$directory" "$file"
  done
done
rm /tmp/.goldsmith-packaged'

# This run is for the packages only. Its tar is kept for other builds if apt has read the release files that the builder has read.
if [ -e "$plan/keep" ]; then
  sha256sum "$root"/var/lib/apt/lists/*_InRelease | cut -c-64 | sort >"$plan/releases"
  # The other run takes the tar for a base.
  if [ -e "$plan/base.list" ]; then mv "$plan/base.list" "$root/$own"; fi
  rm -rf "$plan/apt"
  exit
fi

# Packages make some files for the machine on which they are installed. Each line is a package, and those files that its script makes again where they
# are missing.
machine='ssl-cert /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem
nvme-cli /etc/nvme/hostnqn /etc/nvme/hostid
dropbear /etc/dropbear/dropbear_rsa_host_key /etc/dropbear/dropbear_ecdsa_host_key /etc/dropbear/dropbear_ed25519_host_key
open-iscsi /etc/iscsi/initiatorname.iscsi
bind9 /etc/bind/rndc.key'
# shellcheck disable=SC2046 # one argument for each word
inside sha256sum $(printf '%s\n' "$machine" | cut -d ' ' -f 2-) 2>/dev/null >"$plan/made" || true

echo "files"
inside tar --extract --touch --keep-directory-symlink --no-overwrite-dir <"$plan/root.tar" ||
  fail FilesNotWritten "the files of the image cannot be written: is one of them a directory of a package?"
rm "$plan/root.tar" # it can be large

read -r zone <"$plan/timezone"
if [ -n "$zone" ]; then
  inside grep -q ^TZif "/usr/share/zoneinfo/$zone" 2>/dev/null || fail UnknownTimeZone "parameter timeZone: there is no time zone $zone"
  inside ln -sf "../usr/share/zoneinfo/$zone" /etc/localtime
fi
read -r locale <"$plan/locale"
if [ -n "$locale" ]; then
  inside grep -qxF "$locale UTF-8" /usr/share/i18n/SUPPORTED || fail UnknownLocale "parameter locale: there is no locale $locale"
  printf '%s UTF-8\n' "$locale" | inside tee /etc/locale.gen >/dev/null
  inside locale-gen
fi

# What root owns in the home of a user, since a time, belongs to that user. find and chown follow no symbolic links.
own_home() { inside find "/home/$1" -xdev -user root -newermt "$2" -exec chown --no-dereference "$1:" {} +; } # USER TIME

tab=$(printf '\t')
while IFS="$tab" read -r name shell groups; do
  echo "user $name"
  # useradd fills only a home that does not exist with the files of /etc/skel. What is there replaces them.
  kept=
  if inside test -d "/home/$name" && inside test ! -L "/home/$name"; then
    kept=/home/.goldsmith-home
    inside mv "/home/$name" "$kept"
  fi
  said=$(inside useradd --create-home --shell "$shell" ${groups:+--groups "$groups"} "$name" 2>&1) || fail UserNotCreated "parameter users: user $name: " "$said"
  if [ -n "$kept" ]; then
    inside find "$kept" -mindepth 1 -maxdepth 1 -exec cp --archive --target-directory "/home/$name" {} +
    inside rm -r "$kept"
    own_home "$name" @-1
  fi
  if [ -e "$plan/users/$name/password" ]; then
    said=$(inside chpasswd --encrypted <"$plan/users/$name/password" 2>&1) || fail UserNotCreated "parameter users: password of $name: " "$said"
  fi
  if [ -e "$plan/users/$name/authorized_keys" ]; then
    inside install -d -m 700 -o "$name" -g "$name" "/home/$name/.ssh"
    inside tee "/home/$name/.ssh/authorized_keys" <"$plan/users/$name/authorized_keys" >/dev/null
    inside chmod 600 "/home/$name/.ssh/authorized_keys"
    inside chown "$name:$name" "/home/$name/.ssh/authorized_keys"
  fi
done <"$plan/accounts"
while read -r name; do
  if inside grep -q "^$name:.*:/home/$name:[^:]*\$" /etc/passwd; then own_home "$name" "@$SOURCE_DATE_EPOCH"; fi
done <"$plan/homes"

for verb in enable disable; do
  while read -r unit; do
    echo "$verb $unit"
    said=$(inside systemctl "$verb" "$unit" 2>&1) || fail UnknownService "parameter services: cannot $verb $unit: " "$said"
    # systemctl ends well, too, when it does nothing.
    case $(inside systemctl is-enabled "$unit" 2>/dev/null | tail -n 1) in
      static) fail UnknownService "parameter services: cannot $verb $unit: it has no [Install] section, so only other units start it" ;;
      alias) fail UnknownService "parameter services: cannot $verb $unit: it is another name of a unit: name that unit" ;;
      generated | transient) fail UnknownService "parameter services: cannot $verb $unit: it is made only when a machine runs" ;;
      not-found) fail UnknownService "parameter services: cannot $verb $unit: there is no unit of this name, or it is another name of a unit" ;;
    esac
  done <"$plan/$verb"
done

# The lock of the image has digests from the lists of apt, which mmdebstrap deletes. A script can replace or delete them, too.
keep_lists() { cp --archive --link "$root/var/lib/apt/lists" "$plan/$1" 2>/dev/null || true; } # NAME
keep_lists lists

while read -r number name; do
  echo "script $name"
  libraries
  inside tee /tmp/.goldsmith-script <"$plan/scripts/$number" >/dev/null
  inside chmod 755 /tmp/.goldsmith-script
  # shellcheck disable=SC2016 # the other shell expands it
  {
    DEBIAN_FRONTEND=noninteractive HOME=/root strace -f -x -qqq -e trace=execve -e signal=none --seccomp-bpf -o "$plan/trace" \
      "$builder" run sh -c 'exec chroot "$0" /tmp/.goldsmith-script' "$root" 2>&1 </dev/null || echo $? >"$plan/status"
  } | tee "$plan/said"
  # mmdebstrap replaces ldconfig by a script that runs it with the root file system as an argument. The builder itself stands for ldd, and is a hook of dpkg.
  static=$("$builder" static "$plan/trace" | grep -vx -e '.*/ldconfig' -e "$builder" | head -n 1 || true)
  if [ -n "$static" ]; then
    fail StaticProgram "file scripts/$name runs ${static#"$root"}, which is linked statically: it does not see the image, but the builder"
  fi
  if [ -e "$plan/status" ]; then
    said=$(sed '/^libfakeroot internal error: /d; s/\r*$//; s/.*\r//' "$plan/said" | tail -n 5)
    fail ScriptFailed "file scripts/$name ended with exit code $(cat "$plan/status")${said:+; its last output: }" "${said:-, and printed nothing}"
  fi
  inside rm /tmp/.goldsmith-script
done <"$plan/scripts.list"
keep_lists lists.after

# A script can install a shell, too.
while IFS="$tab" read -r name shell _; do
  # shellcheck disable=SC2016 # the shell in the fake chroot expands them
  inside sh -c 'test -f "$1" && test -x "$1"' sh "$shell" ||
    fail UserNotCreated "parameter users: user $name: the image has no shell $shell: add its package to packages, or correct the shell"
done <"$plan/accounts"

rm -f "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap" # settings of the build
# apt of the machine uses the list of the plan, or else that of the base. A list that a file or a script of the image has written instead stays.
if cmp -s "$plan/build.list" "$root/$own"; then
  rm "$root/$own"
  if [ -e "$plan/machine.list" ]; then
    inside tee "/$own" <"$plan/machine.list" >/dev/null
  elif [ -e "$plan/base.list" ]; then
    mv "$plan/base.list" "$root/$own"
  fi
fi

# Files of the image and scripts may have replaced them: only what the packages have made is made at the first boot of a machine.
printf '%s\n' "$machine" | while read -r package files; do
  for file in $files; do
    made=$(grep "  $file\$" "$plan/made") || continue 2
    [ "$(inside sha256sum "$file" 2>/dev/null)" = "$made" ] || continue 2
  done
  echo "at its first boot a machine makes $files"
  # shellcheck disable=SC2086 # one argument for each word
  inside rm $files
  echo "$package" >>"$plan/first-boot.packages"
done
if [ -e "$plan/first-boot.packages" ]; then
  inside install -D -m 755 /dev/stdin /usr/lib/goldsmith/first-boot <"$plan/first-boot"
  inside tee -a /usr/lib/goldsmith/packages <"$plan/first-boot.packages" >/dev/null # a base may have some
  inside install -D -m 644 /dev/stdin /etc/systemd/system/goldsmith-first-boot.service <"$plan/first-boot.service"
  inside systemctl enable goldsmith-first-boot.service 2>&1
fi

# What would be different in each build, or has to be different on each machine.
inside sh -c 'rm -f /etc/machine-id /var/lib/dbus/machine-id /etc/ssh/ssh_host_* /var/lib/systemd/random-seed /etc/.resolv.conf.systemd-resolved.bak
: >/etc/machine-id'
chmod 755 "$root"
