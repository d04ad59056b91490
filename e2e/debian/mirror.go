// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// serving is the line in which the mirror tells its address.
var serving = regexp.MustCompile(`serving \S+ on (http://\S+)$`)

// startMirror serves the kept packages of Debian on an address of this machine until the spec ends, and returns the URL for http_proxy. What
// is not kept yet is fetched, and kept for later runs.
func startMirror(ctx context.Context, program, address string) string {
	GinkgoHelper()
	cache, err := os.UserCacheDir()
	Expect(err).NotTo(HaveOccurred())
	command := exec.Command(program, "mirror", "--dir", filepath.Join(cache, "goldsmith", "debian-mirror"), "--listen", address+":0",
		"--allow", "deb.debian.org", "--allow", "security.debian.org")
	log, err := command.StderrPipe()
	Expect(err).NotTo(HaveOccurred())
	Expect(command.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(command.Process.Signal(syscall.SIGTERM)).To(Succeed())
		Expect(command.Wait()).To(Succeed())
	})
	urls := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			_, _ = GinkgoWriter.Write(append(lines.Bytes(), '\n')) // it fails for nobody
			if found := serving.FindStringSubmatch(lines.Text()); found != nil {
				urls <- found[1]
			}
		}
	}()
	var url string
	Eventually(ctx, urls).WithTimeout(startLimit).Should(Receive(&url))
	return url
}
