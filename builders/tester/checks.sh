# shellcheck shell=sh disable=SC2154 # script.go sets the variables
# The functions of the script on the second disk. The first two arguments are the numbers of the test and of the check.
begin() { say "begin $1 $2"; }
end() { tell "end $1 $2 $3" "$4"; }
# left prints how many seconds are left until a time since the start of the kernel, or 1.
left() {
	read -r now rest </proc/uptime
	now=$(($1 - ${now%%.*}))
	[ "$now" -gt 0 ] || now=1
	echo "$now"
}
# journal prints the last lines that the processes of unit $1 have written, or else what systemd has written about it.
journal() {
	set -- "$1" "$(journalctl --boot --lines 5 --output cat --no-pager "_SYSTEMD_UNIT=$1")"
	case $2 in
	'' | '-- No entries --') journalctl --boot --lines 5 --output cat --no-pager --unit "$1" ;;
	*) printf '%s\n' "$2" ;;
	esac
}
# unit waits for at most $3 seconds until unit $4 is active.
unit() {
	begin "$1" "$2"
	waited=0
	while :; do
		state=$(systemctl is-active -- "$4" 2>&1)
		case $state in
		active)
			code=0
			break
			;;
		activating | reloading | refreshing) [ "$waited" -lt "$3" ] || { code=1; break; } ;;
		*)
			code=1
			break
			;;
		esac
		sleep 1
		waited=$((waited + 1))
	done
	{
		if [ "$code" -ne 0 ]; then
			systemctl show --property LoadState --property ActiveState --property Result --property ExecMainStatus -- "$4"
			echo
			journal "$4"
		fi
	} >out 2>&1
	end "$1" "$2" "$code" out
}
# run runs command $4 until $3 seconds after the start of the kernel. A process that it leaves running does not hold up the next check.
run() {
	begin "$1" "$2"
	(cd / && exec timeout -k 5 "$(left "$3")" /bin/sh -c "$4") >"all-$1-$2" 2>&1 </dev/null
	code=$?
	head -c 1048576 "all-$1-$2" >out
	rm -f "all-$1-$2"
	end "$1" "$2" "$code" out
}
# file looks for text $4 in file $3.
file() {
	begin "$1" "$2"
	: >out
	if [ ! -e "$3" ]; then
		code=1
	elif [ -z "$4" ]; then
		code=0
	elif LC_ALL=C grep -F -q -e "$4" -- "$3" 2>out; then
		code=0
	elif [ -s out ]; then
		code=3
	else
		code=2
	fi
	end "$1" "$2" "$code" out
}
# goss validates the file at block $4 of the disk with $5 blocks until $3 seconds after the start of the kernel.
goss() {
	begin "$1" "$2"
	dd if="$disk" of=goss.yaml bs=4096 skip=$((files + $4)) count="$5" 2>out
	[ -x goss ] || dd if="$disk" of=goss bs=4096 skip="$files" count="$gossblocks" 2>out
	chmod 0700 goss
	timeout -k 5 "$(left "$3")" ./goss --gossfile goss.yaml validate --format json --no-color </dev/null 2>out | head -c 4194304 >results
	if [ -s results ]; then
		end "$1" "$2" 0 results
	else
		end "$1" "$2" 1 out
	fi
}
# failed lists the failed units, each with its last lines in the journal.
failed() {
	begin "$1" "$2"
	systemctl list-units --state=failed --no-legend --plain --no-pager --full | while read -r name rest; do
		echo "$name $(systemctl show --property Result --value -- "$name")"
		journal "$name" | sed 's/^/ /'
	done >out 2>&1
	end "$1" "$2" 0 out
}
# Programs can be executed in a file system of our own, unlike in /run, and the output of commands cannot fill it.
mkdir work
mount -t tmpfs -o mode=0700,size=64m tmpfs work
cd work || exit
say up
