// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/storage/filelock"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/e2e/require"
)

var (
	// symptomRow matches a row of docs/troubleshooting.md for one machine: its anchor, and the text that a user sees.
	symptomRow = regexp.MustCompile(`(?m)^\| <a id="up-([a-z-]+)"></a>(.*?) \|`)
	codeOfRow  = regexp.MustCompile("`([^`]+)`")
	// placeholder matches a name in capitals, which stands for any text.
	placeholder = regexp.MustCompile(`\b(ADDRESS|BUILD|DATA-DIR|FILE|IMAGE|NAME)\b`)
)

// TestEverySymptomOfOneMachineIsShown provokes each row of docs/troubleshooting.md for one machine. The expected messages are only on
// that page.
func TestEverySymptomOfOneMachineIsShown(t *testing.T) {
	provoked := provokers(t)
	for _, row := range symptomRow.FindAllStringSubmatch(read(t, filepath.Join(repository, "docs", "troubleshooting.md")), -1) {
		t.Run(row[1], func(t *testing.T) {
			provoke := provoked[row[1]]
			if provoke == nil {
				t.Fatal("nothing provokes this row")
			}
			delete(provoked, row[1])
			output, messages := provoke(t), 0
			for _, span := range codeOfRow.FindAllStringSubmatch(row[2], -1) {
				if strings.HasPrefix(span[1], "goldsmith ") {
					continue // the command that shows the message
				}
				messages++
				if pattern := placeholder.ReplaceAllString(regexp.QuoteMeta(span[1]), ".+"); !regexp.MustCompile(pattern).MatchString(output) {
					t.Errorf("no %q in\n%s", span[1], output)
				}
			}
			if messages == 0 {
				t.Error("the row shows no message")
			}
		})
	}
	for name := range provoked {
		t.Errorf("docs/troubleshooting.md has no row up-%s", name)
	}
}

// provokers returns a function for each row, which returns the text that a user sees.
func provokers(t *testing.T) map[string]func(*testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s := &session{t: t, ctx: ctx, kubeconfig: serve(ctx, t)}
	return map[string]func(*testing.T) string{
		"not-running": func(t *testing.T) string {
			return complaintOf(t, writeKubeconfig(t, "https://127.0.0.1:1"), "queue") // nobody listens on port 1
		},
		"no-kubeconfig":      func(t *testing.T) string { return complaintOf(t, "", "queue") },
		"no-such-kubeconfig": func(t *testing.T) string { return complaintOf(t, filepath.Join(t.TempDir(), "kubeconfig"), "queue") },
		"wrong-kubeconfig": func(t *testing.T) string {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.Config.ErrorLog = log.New(io.Discard, "", 0) // the server would log that the client refuses its certificate
			server.StartTLS()
			defer server.Close()
			return complaintOf(t, writeKubeconfig(t, server.URL), "queue")
		},
		"data-directory-in-use": func(t *testing.T) string {
			directory := t.TempDir()
			lock, err := filelock.Take(filepath.Join(directory, "lock"))
			require.NoError(t, err)
			defer func() {
				if err := lock.Close(); err != nil {
					t.Error(err)
				}
			}()
			return complaintOf(t, "", "up", "--data-dir", directory)
		},
		"port-in-use": func(t *testing.T) string {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() {
				if err := listener.Close(); err != nil {
					t.Error(err)
				}
			}()
			return complaintOf(t, "", "up", "--data-dir", t.TempDir(), "--listen", listener.Addr().String())
		},
		"builder-not-executable": func(t *testing.T) string {
			return complaintOf(t, "", "up", "--data-dir", t.TempDir(), "--builder", "packer="+writeKubeconfig(t, ""))
		},
		"builder-not-found": func(*testing.T) string {
			follow := s.types("logs", s.create(strings.NewReplacer("web", "other", "mock", "packer").Replace(web)).Name, "-f")
			follow.fails(exit.Failure)
			return follow.complaints
		},
		"build-failed": func(*testing.T) string {
			s.apply(web)
			build := s.types("build", "web", "--parameter", "failAt=1", "--wait")
			build.fails(exit.BuildFailed)
			return build.complaints
		},
		"build-waits": func(*testing.T) string {
			s.types("build", "web", "--parameter", "duration=1h").says("web-3\n")
			s.types("build", "web").says("web-4\n")
			queue := s.types("queue")
			queue.says()
			s.types("cancel", "web-4").says()
			s.types("cancel", "web-3").says()
			s.waits("web-3", v1alpha1.BuildCancelled)
			return queue.out
		},
		"archive-unavailable": func(*testing.T) string {
			archive := httptest.NewServer(onlyOnce("date: 2026-11-28T10:00:00Z\nopenssl 3.5.6-1\n"))
			defer archive.Close()
			s.create(strings.NewReplacer("name: web", "name: archived", "[{name: duration", "[{name: archive, value: '"+archive.URL+"'}, {name: packages, value: openssl}, {name: duration").Replace(web) +
				"  triggers: {onPackageChange: {}}\n")
			s.waitsForPackages("archived", func(packages metav1.Condition) bool { return strings.Contains(packages.Message, "cannot be checked") })
			plan := s.types("plan", "archived")
			plan.says()
			return plan.out
		},
		// No test fills a disk. TestWhyTheProcessEndsIsTheLastLine of apiserver/storage/etcd holds that this is printed.
		"disk-full": func(t *testing.T) string {
			return read(t, filepath.Join(repository, "apiserver", "storage", "etcd", "ending.go")) + syscall.ENOSPC.Error()
		},
		"damaged-file": func(t *testing.T) string {
			directory := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(directory, "records.db"), []byte(strings.Repeat("damaged ", 1<<10)), 0o600))
			return complaintOf(t, "", "up", "--data-dir", directory)
		},
		"newer-data": func(t *testing.T) string {
			directory := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(directory, datadir.VersionFile), []byte(`{"format": 2, "version": "v0.2.0"}`), 0o600))
			return complaintOf(t, "", "up", "--data-dir", directory)
		},
	}
}

// onlyOnce answers the first request with a text, which is that of a build, and no other.
func onlyOnce(text string) http.Handler {
	var once sync.Once
	return http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		answered := false
		once.Do(func() { _, _ = io.WriteString(out, text); answered = true })
		if !answered {
			http.NotFound(out, in)
		}
	})
}

// waitsForPackages returns once what an Image reports about its packages is as a test expects.
func (s *session) waitsForPackages(image string, expected func(packages metav1.Condition) bool) {
	s.t.Helper()
	connection := s.connect()
	changes, err := connection.ImagesV1alpha1().Images(connection.Namespace).Watch(s.ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + image})
	require.NoError(s.t, err)
	defer changes.Stop()
	for change := range changes.ResultChan() {
		if changed, ok := change.Object.(*v1alpha1.Image); ok {
			packages := meta.FindStatusCondition(changed.Status.Conditions, v1alpha1.ImagePackagesUpToDate)
			if packages != nil && expected(*packages) {
				return
			}
		}
	}
	s.t.Fatal("the watch ended")
}

// complaintOf runs the program in a directory of its own, where it must fail, and returns what it writes on stderr.
func complaintOf(t *testing.T, kubeconfig string, arguments ...string) string {
	t.Helper()
	directory := t.TempDir()
	binary, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(directory, "goldsmith") // TestMain lets the test binary stand in for the program
	require.NoError(t, os.Symlink(binary, program))
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir, command.Env = directory, []string{"HOME=" + directory, "KUBECONFIG=" + kubeconfig}
	_, err = command.Output()
	var failed *exec.ExitError
	if !errors.As(err, &failed) || failed.ExitCode() != exit.Failure {
		t.Fatalf("goldsmith %s: got %v", strings.Join(arguments, " "), err)
	}
	return string(failed.Stderr)
}

// writeKubeconfig returns a file that names a server.
func writeKubeconfig(t *testing.T, server string) string {
	t.Helper()
	named := func(kind string, of any) []any { return []any{map[string]any{"name": "up", kind: of}} }
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "up",
		"contexts": named("context", map[string]string{"cluster": "up"}),
		"clusters": named("cluster", map[string]string{"server": server}),
	})
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, errors.Join(err, os.WriteFile(file, text, 0o600)))
	return file
}
