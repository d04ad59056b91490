# shellcheck shell=sh disable=SC2154,SC1091 # script.go sets the variables, and the disk has the script
# The program of both units of the tester in the guest. $1 is alive or run.
set -u
word=$(cat "$CREDENTIALS_DIRECTORY/goldsmith-tests.word")
# open opens the port as file 3. Only one process at a time can have it open.
open() {
	for entry in /sys/class/virtio-ports/*; do
		if [ "$(cat "$entry/name")" = dev.goldsmith.results ]; then
			command exec 3>"/dev/${entry##*/}" && return
		fi
	done
	return 1
}
# say sends a message. What another process has left on the line before it does not matter.
say() {
	until open 2>/dev/null; do sleep 0.2; done
	printf '\n%s %s\n' "$word" "$*" >&3
	exec 3>&-
}
# tell sends a message with the contents of a file.
tell() {
	until open 2>/dev/null; do sleep 0.2; done
	printf '\n%s %s ' "$word" "$1" >&3
	base64 -w 0 <"$2" >&3
	echo >&3
	exec 3>&-
}
directory=$RUNTIME_DIRECTORY
cd "$directory" || exit
if [ "$1" = alive ]; then
	say alive
	while sleep "$interval" && [ ! -e ../goldsmith-tests/script ]; do
		{
			systemctl list-jobs --no-legend --plain --no-pager --full
			systemctl list-units --state=failed --no-legend --plain --no-pager --full
		} >waiting 2>&1
		tell waiting waiting
	done
	exit
fi
for entry in /sys/block/*; do
	if [ "$(cat "$entry/serial" 2>/dev/null)" = goldsmith-tests ]; then
		disk=/dev/${entry##*/}
	fi
done
dd if="$disk" of=script bs=4096 count="$blocks" 2>/dev/null
. ./script
