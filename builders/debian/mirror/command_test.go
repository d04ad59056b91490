// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	directory := t.TempDir()
	for args, want := range map[string]string{
		"":                                   "--dir is required",
		"--dir D x":                          `unexpected argument "x"`,
		"--dir D --offline --refresh":        "--refresh needs the network",
		"--dir D --listen 3142":              "--listen: ",
		"--dir D --listen :3142":             "lets other machines fetch from every host: name the hosts of the archives with --allow",
		"--dir D --listen 192.0.2.1:3142":    "lets other machines fetch from every host",
		"--dir D --allow http://example.com": "must be the name of a host",
		"--dir D --nonsense":                 "nonsense",
		"--dir /dev/null/x":                  "create the directory of the mirror: ",
		"--dir D/x --offline":                "open the directory of the mirror: ",
		"--dir D --listen 127.0.0.1:99999":   "listen: ",
	} {
		errors := &bytes.Buffer{}
		if code := Main(t.Context(), io.Discard, errors, strings.Fields(strings.ReplaceAll(args, "D", directory))); code != 1 || !strings.Contains(errors.String(), want) {
			t.Errorf("%q: exit code %d: %s", args, code, errors)
		}
	}
	help := &bytes.Buffer{}
	if code := Main(t.Context(), help, io.Discard, []string{"--help"}); code != 0 || !strings.Contains(help.String(), "  --allow HOST         host to fetch from") {
		t.Errorf("exit code %d: %s", code, help)
	}
	parsed, err := parse(io.Discard, []string{"--dir", "x", "--listen", ":3142", "--allow", "Example.com:80", "--allow", "a:81"})
	if err != nil || strings.Join(parsed.options.Allow, " ") != "example.com a:81" {
		t.Errorf("%+v, %v", parsed, err)
	}
}

// The log tells which state is served, and whether APT accepts it.
func TestTheLogTellsTheKeptStates(t *testing.T) {
	a := newArchive(t)
	m := mirrorOf(t, a)
	for suite, fields := range map[string]string{
		"old":     "Date: Sat, 21 Nov 2020 09:15:44 UTC\nValid-Until: Sat, 28 Nov 2020 09:15:44 UTC",
		"new":     "Date: Sat, 21 Nov 2020 09:15:44 UTC\nValid-Until: Sun, 28 Nov 2320 09:15:44 UTC",
		"eternal": "Date: Sat, 21 Nov 2020 09:15:44 UTC",
	} {
		path := "/debian/dists/" + suite + "/InRelease"
		a.set(func() { a.files[path] = signed + "\nHash: SHA256\n\n" + fields + "\nSHA256:\n" })
		m.proxied(a.host, path, nil)
	}
	if err := m.logStates(); err != nil {
		t.Fatal(err)
	}
	m.stop(t)
	for _, want := range []string{
		"old/InRelease: the state of Sat, 21 Nov 2020 09:15:44 UTC, which APT refuses after Sat, 28 Nov 2020 09:15:44 UTC: it has expired, start the mirror with --refresh\n",
		"new/InRelease: the state of Sat, 21 Nov 2020 09:15:44 UTC, which APT refuses after Sun, 28 Nov 2320 09:15:44 UTC\n",
		"eternal/InRelease: the state of Sat, 21 Nov 2020 09:15:44 UTC\n",
	} {
		if !strings.Contains(m.log.String(), "kept: http://"+a.host+"/debian/dists/"+want) {
			t.Errorf("no line for %s: %s", want, m.log)
		}
	}
}

// The command serves until it is told to end, and then tells what it has done.
func TestTheCommandServesUntilItsEnd(t *testing.T) {
	a := newArchive(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, io.Discard, writer, []string{"--dir", t.TempDir(), "--listen", "127.0.0.1:0", "--allow", a.host, "--refresh"})
		_ = writer.Close()
	}()
	log := &strings.Builder{}
	buffer := make([]byte, 1024)
	n, err := reader.Read(buffer)
	address := regexp.MustCompile(` on (http://\S+)`).FindSubmatch(buffer[:n])
	if err != nil || address == nil {
		t.Fatalf("%v: %s", err, buffer[:n])
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(log, reader)
		read <- err
	}()
	want, _ := a.get(deb)
	if got := ask(ctx, http.DefaultClient, http.MethodGet, string(address[1])+"/"+a.host+deb, nil); got.body != want {
		t.Errorf("status %d, %d bytes, %v", got.status, len(got.body), got.err)
	}
	stop()
	if got, err := <-code, <-read; got != 0 || err != nil || !strings.Contains(log.String(), "served 500008 bytes: 0 hits, 1 misses, 500008 bytes fetched") {
		t.Errorf("exit code %d, %v: %s", got, err, log)
	}
}
