// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"bytes"
	_ "embed" // the programs of the guest
	"fmt"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/builders/machine"
)

// block is the size of the blocks of the second disk, in bytes. Files begin at blocks.
const block = 4096

// The programs of the guest. They need a POSIX shell, the base tools of any distribution, and systemd.
var (
	//go:embed start.sh
	startProgram string
	//go:embed checks.sh
	checkFunctions string
)

// The names of the units of the tester in the guest.
const (
	aliveUnit = "goldsmith-tests-alive.service"
	runUnit   = "goldsmith-tests.service"
)

// medium is the second disk of a guest: the script, then other files.
type medium struct {
	script strings.Builder
	files  bytes.Buffer // whole blocks
}

// add adds a file, and returns its first block, counted from the end of the script, and the number of its blocks. A file ends with fill.
func (m *medium) add(content []byte, fill byte) (first, blocks int) {
	first, blocks = m.files.Len()/block, blocksOf(len(content))
	m.files.Write(content)
	m.files.Write(bytes.Repeat([]byte{fill}, blocks*block-len(content)))
	return first, blocks
}

func blocksOf(size int) int { return (size + block - 1) / block }

// call adds a line to the script: the call of a function.
func (m *medium) call(function string, arguments ...any) {
	m.script.WriteString(function)
	for _, argument := range arguments {
		text := fmt.Sprint(argument)
		m.script.WriteString(" '" + strings.ReplaceAll(text, "'", `'\''`) + "'")
	}
	m.script.WriteByte('\n')
}

// bytes returns the contents of the disk, and how many blocks the script has. The script finds the first file at the block in $files.
func (m *medium) bytes() (content []byte, blocks int) {
	const room = len("files=0000000000\n")
	script := checkFunctions + m.script.String() + "say done\n"
	blocks = blocksOf(room + len(script))
	script = fmt.Sprintf("files=%-10d\n", blocks) + script
	content = append([]byte(script), bytes.Repeat([]byte{'\n'}, blocks*block-len(script))...)
	return append(content, m.files.Bytes()...), blocks
}

// credentials let systemd in the guest run the start program twice: as soon as systemd runs, and once a target is reached. Without
// DefaultDependencies=no the target would wait for its unit. A job of Type=simple is done when the unit has started, so that no command that
// waits for the end of the boot waits for the tests. The word is in no unit, which every user of the guest can read: only root can read
// credentials.
func credentials(target, word string, blocks int, interval time.Duration) []string {
	unit := func(description, dependencies, mode, directory string) string {
		return "[Unit]\nDescription=" + description + "\nDefaultDependencies=no\n" + dependencies +
			"[Service]\nType=simple\nExecStart=/bin/sh %d/goldsmith-tests.start " + mode + "\nRuntimeDirectory=" + directory + "\n" +
			"LoadCredential=goldsmith-tests.start\nLoadCredential=goldsmith-tests.word\nEnvironment=HOME=/root LC_ALL=C.UTF-8\n"
	}
	wants := func(unit string) string { return "[Unit]\nWants=" + unit + "\n" }
	settings := fmt.Sprintf("interval=%d\nblocks=%d\n", max(1, int(interval/time.Second)), blocks)
	all := []string{
		machine.Credential("goldsmith-tests.start", settings+startProgram),
		machine.Credential("goldsmith-tests.word", word),
		machine.Credential("systemd.extra-unit."+aliveUnit, unit("Tell the tester that systemd runs", "", "alive", "goldsmith-tests-alive")),
		machine.Credential("systemd.extra-unit."+runUnit, unit("Run the tests of this boot", "Requires="+target+"\nAfter="+target+"\n", "run", "goldsmith-tests")),
		machine.Credential("systemd.unit-dropin.sysinit.target", wants(aliveUnit)),
		machine.Credential("systemd.unit-dropin."+target, wants(runUnit)),
	}
	if target == "sysinit.target" {
		all = append(all[:4], machine.Credential("systemd.unit-dropin.sysinit.target", "[Unit]\nWants="+aliveUnit+" "+runUnit+"\n"))
	}
	return all
}
