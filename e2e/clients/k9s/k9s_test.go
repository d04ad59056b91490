// SPDX-License-Identifier: Apache-2.0

//go:build e2e

// Package k9s_test opens k9s in a terminal, with the columns and keys of examples/k9s. $K9S is the path of k9s.
package k9s_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/clients/server"
	"goldsmith.dev/goldsmith/e2e/deadline"
)

func TestK9s(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "k9s")
}

const (
	examples = "../../../examples/k9s"
	// settings leave out what k9s would ask the network for, and the picture at its start.
	settings = "k9s: {skipLatestRevCheck: true, ui: {splashless: true}}\n"
	// columns and rows of the terminal
	columns, rows = 160, 40
)

var _ = Describe("k9s", Label("browser"), func() {
	It("shows an image by its name, builds it with a key, and has every key on its screen", func(ctx SpecContext) {
		s := server.Start(GinkgoTB())
		images := versioned.NewForConfigOrDie(s.Config).ImagesV1alpha1()
		_, err := images.Images("default").Create(ctx, &v1alpha1.Image{
			ObjectMeta: metav1.ObjectMeta{Name: "web"},
			Spec: v1alpha1.ImageSpec{BuildInputs: v1alpha1.BuildInputs{
				Base: v1alpha1.Base{Reference: "debian:13"}, Builder: v1alpha1.BuilderReference{Name: "mock"},
				Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
			}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		phase := func(ctx context.Context, name string) (v1alpha1.BuildPhase, error) {
			build, err := images.ImageBuilds("default").Get(ctx, name, metav1.GetOptions{})
			return build.Status.Phase, err
		}
		Eventually(ctx, phase).WithArguments("web-1").WithTimeout(deadline.Local.Deadline()).Should(Equal(v1alpha1.BuildSucceeded))

		k9s := open(ctx, s, "img")
		k9s.shows(`NAME\S* +READY +UPTODATE +REASON +LATEST +ACTIVE +NEXT +DIGEST +AGE`)
		k9s.shows(`\bweb +True +True +web-1 +0 +[0-9a-f]{12} `)
		k9s.shows(`<b> +Build now`, `<l> +Log`, `<p> +Plan`)
		k9s.types("b")
		k9s.shows(`Confirm Build now`, `--follow web`, `Cancel +OK`)
		k9s.types("\t\r")
		k9s.shows(`build web-2 succeeded`, `Enter returns to k9s`)
		build, err := images.ImageBuilds("default").Get(ctx, "web-2", metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(build.Status.Phase).To(Equal(v1alpha1.BuildSucceeded))
		Expect(build.Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerManual))
		k9s.types("\r")
		k9s.shows(`\bweb +True +True +web-2 `)

		k9s.goesTo("imgb")
		k9s.shows(`NAME +IMAGE +PHASE +WHY +PROGRESS +ATTEMPT +DURATION +TRIGGER +AGE\S*`, `(?s)web-2 +web +Succeeded.*web-1 +web +Succeeded`) // newest first
		k9s.shows(`<l> +Log`, `<f> +Diff with last good`, `<r> +Rerun`, `<x> +Cancel`, `<m> +Promote`)
		k9s.types("f")
		k9s.shows(`BUILD +web-1 +web-2`, `the inputs of both builds are the same`)
		k9s.types("q")
		k9s.shows(`web-2 +web +Succeeded`)

		k9s.goesTo("qb")
		k9s.shows(`<l> +Log`, `<x> +Cancel`)
		k9s.goesTo("events")
		k9s.shows(`BuildCreated +image/web +build web-1: `)
		k9s.complainsAboutNothing()
	}, NodeTimeout(4*deadline.Local.Deadline()))
})

// terminal is k9s in a terminal.
type terminal struct {
	ctx  context.Context
	keys *os.File
	log  string // the path of k9s's log

	mutex  sync.Mutex
	screen *vt.Emulator
}

// open starts k9s with a screen of a namespace, and stops it at the end of the spec.
func open(ctx context.Context, s server.Server, screen string) *terminal {
	GinkgoHelper()
	home := GinkgoT().TempDir()
	Expect(os.CopyFS(home, os.DirFS(examples))).To(Succeed())
	Expect(os.WriteFile(filepath.Join(home, "config.yaml"), []byte(settings), 0o600)).To(Succeed())
	program := os.Getenv("K9S")
	Expect(program).NotTo(BeEmpty(), "make e2e-browser sets K9S")
	command := exec.Command(program, "--command="+screen, "--namespace=default")
	command.Env = []string{
		"PATH=" + filepath.Dir(s.Program) + string(filepath.ListSeparator) + os.Getenv("PATH"), "TERM=xterm-256color", "LANG=C.UTF-8",
		"KUBECONFIG=" + s.Kubeconfig, "HOME=" + home, "K9S_CONFIG_DIR=" + home, "K9S_LOGS_DIR=" + home,
	}
	keys, err := pty.StartWithSize(command, &pty.Winsize{Cols: columns, Rows: rows})
	Expect(err).NotTo(HaveOccurred())
	t := &terminal{ctx: ctx, keys: keys, log: filepath.Join(home, "k9s.log"), screen: vt.NewEmulator(columns, rows)}
	ended := make(chan struct{})
	go t.draw(ended)
	DeferCleanup(func() {
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()         // killed
		_ = keys.Close()
		<-ended
	})
	return t
}

// draw draws what k9s writes, until k9s has ended.
func (t *terminal) draw(ended chan<- struct{}) {
	defer close(ended)
	buffer := make([]byte, 4096)
	for {
		n, err := t.keys.Read(buffer)
		t.mutex.Lock()
		_, _ = t.screen.Write(buffer[:n]) // cannot fail before Close
		t.mutex.Unlock()
		if err != nil {
			return
		}
	}
}

// text is the text on the screen.
func (t *terminal) text() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.screen.String()
}

// shows waits until the screen matches all regular expressions at the same time.
func (t *terminal) shows(expressions ...string) {
	GinkgoHelper()
	Eventually(t.ctx, func() error {
		text := t.text()
		for _, expression := range expressions {
			if !regexp.MustCompile(expression).MatchString(text) {
				return fmt.Errorf("%s is not on the screen:\n%s", expression, text)
			}
		}
		return nil
	}).WithTimeout(deadline.Local.Deadline()).Should(Succeed())
}

// types presses keys.
func (t *terminal) types(keys string) {
	GinkgoHelper()
	_, err := t.keys.WriteString(keys)
	Expect(err).NotTo(HaveOccurred())
}

// goesTo opens another screen. k9s loses keys that follow a command too fast.
func (t *terminal) goesTo(command string) {
	GinkgoHelper()
	t.types(":" + command)
	t.shows("> " + command)
	t.types("\r")
}

// complainsAboutNothing reads k9s's log: k9s reports there, and at most in a corner of the screen, what it cannot read in our files.
func (t *terminal) complainsAboutNothing() {
	GinkgoHelper()
	log, err := os.ReadFile(t.log)
	Expect(err).NotTo(HaveOccurred())
	for line := range strings.Lines(string(log)) {
		Expect(line).NotTo(MatchRegexp(`(?i)validation failed|load failed|custom column|duplicate plugin|invalid`))
	}
}
