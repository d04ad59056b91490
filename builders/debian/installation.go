// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// installationInterval is how often the log tells how far the installation of packages is, if it has moved on.
	installationInterval = 15 * time.Second
	// repeatAfter is after how many intervals without a change the log repeats it: at least one line a minute.
	repeatAfter = 3

	// planSimulated is the file of the plan in which apt tells what it will install. An image on a base has none.
	planSimulated = "simulated"
	// planRoot is a link of the plan to the root file system, whose own name is random.
	planRoot = "root"

	percentInstalling = 20
	percentInstalled  = 68
)

// installation is how far the installation of packages is.
type installation struct{ downloaded, unpacked, configured, all int }

func (i installation) String() string {
	switch {
	case i.unpacked == 0 && i.downloaded == i.all: // how many more there are is not known yet
		return fmt.Sprintf("downloaded %d packages", i.downloaded)
	case i.unpacked == 0:
		return fmt.Sprintf("downloaded %d of %d packages", i.downloaded, i.all)
	}
	return fmt.Sprintf("unpacked %d of %d packages, configured %d", i.unpacked, i.all, i.configured)
}

// percent returns the percentage of the build that is done.
func (i installation) percent() int {
	if i.unpacked == 0 || i.all == 0 {
		return 0
	}
	return percentInstalling + (percentInstalled-percentInstalling)*(i.unpacked+i.configured)/(2*i.all)
}

// watchInstallation tells, until stop is called, how far the installation of packages is.
func (b *build) watchInstallation(ctx context.Context, directory string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(installationInterval)
		defer ticker.Stop()
		told := installation{}
		for unchanged := 0; ; unchanged++ {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if b.tellInstallation(directory, &told, unchanged >= repeatAfter) {
				unchanged = 0
			}
		}
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-done
	})
}

// tellInstallation tells how far the installation of packages is, if that was not told last or is to be repeated.
func (b *build) tellInstallation(directory string, told *installation, again bool) bool {
	now := readInstallation(filepath.Join(directory, planRoot), filepath.Join(directory, planSimulated))
	if now.all == 0 || now == *told && !again {
		return false
	}
	*told = now
	b.logf("%s", now)
	b.advance(now.percent(), now.String())
	return true
}

// readInstallation reads how far the installation of packages in a root file system is: from the files that apt has downloaded, and from the log of dpkg.
func readInstallation(root, simulated string) installation {
	all, downloaded := map[string]bool{}, map[string]bool{}
	readLines(simulated, func(words []string) {
		if len(words) > 1 && words[0] == "Inst" {
			all[words[1]] = true
		}
	})
	names, _ := os.ReadDir(filepath.Join(root, "var/cache/apt/archives")) // there are none before apt runs
	for _, name := range names {
		if packaged, _, found := strings.Cut(name.Name(), "_"); found && strings.HasSuffix(name.Name(), ".deb") {
			all[packaged], downloaded[packaged] = true, true
		}
	}
	unpacked, configured := map[string]bool{}, map[string]bool{}
	readLines(filepath.Join(root, "var/log/dpkg.log"), func(words []string) {
		const status, state, name = 2, 3, 4 // after date and time
		if len(words) <= name || words[status] != "status" {
			return
		}
		packaged, _, _ := strings.Cut(words[name], ":")
		switch words[state] {
		case "unpacked":
			unpacked[packaged] = true
		case "installed":
			unpacked[packaged], configured[packaged] = true, true
		default:
			return
		}
		all[packaged], downloaded[packaged] = true, true
	})
	return installation{len(downloaded), len(unpacked), len(configured), len(all)}
}

// readLines calls visit with the words of each line of a file, if it is there. It does not wait for a file that is something else.
func readLines(path string, visit func(words []string)) {
	const most = 16 << 20
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }() // only read from
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return
	}
	for lines := bufio.NewScanner(io.LimitReader(file, most)); lines.Scan(); {
		visit(strings.Fields(lines.Text()))
	}
}

// advance reports a percentage of the build, unless it has been further.
func (b *build) advance(percent int, message string) {
	b.advancing.Lock()
	defer b.advancing.Unlock()
	b.percent = max(b.percent, percent)
	b.report("", b.percent, message)
}
