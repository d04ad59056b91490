// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// screen is a picture of k9s.
type screen struct {
	Title         string
	Columns, Rows uint16   // of the terminal
	Commands      []string // that make what the screen shows. $EXAMPLES is the folder of examples
	Arguments     []string // of k9s
	Shows         string   // a regular expression for the text of the screen
}

const (
	k9sFile     = "k9s.json"
	k9sCastFile = "../k9s.cast"
	// k9sSettings leave out what k9s would ask the network for, the picture at its start, and the background of the terminal.
	k9sSettings = "k9s: {skipLatestRevCheck: true, ui: {splashless: true, skin: plain}}\n"
	// stillSeconds is longer than k9s marks what has changed, and shows a message.
	stillSeconds = 10
	hideCursor   = "\x1b[?25l"
	// patience is how long the screen may take.
	patience = 2 * time.Minute
)

// age finds the column that would differ in the next picture.
var age = regexp.MustCompile(`(?m)^ *- AGE$`)

// recordK9s opens k9s on a server, and writes the screen as a cast with a single event.
func recordK9s(ctx context.Context, program, k9s string) (err error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	text, err := os.ReadFile(k9sFile)
	if err != nil {
		return fmt.Errorf("read screen: %w", err)
	}
	wanted, err := parse[screen](text)
	if err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "recording-")
	if err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	examples, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	if err != nil {
		return fmt.Errorf("find examples: %w", err)
	}
	environment := []string{
		"EXAMPLES=" + examples,
		"PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "HOME=" + directory, "LANG=C.UTF-8", "TERM=xterm-256color",
		"KUBECONFIG=" + filepath.Join(directory, ".goldsmith", "kubeconfig"), "K9S_CONFIG_DIR=" + directory, "K9S_LOGS_DIR=" + directory,
	}
	if err := configureK9s(directory, filepath.Join(examples, "k9s")); err != nil {
		return err
	}
	stopServer, err := serve(ctx, program, "web", directory, environment)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopServer()) }()
	for _, line := range wanted.Commands {
		command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", line)
		command.Dir, command.Env = directory, environment
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("run %q: %w\n%s", line, err, out)
		}
	}
	command := exec.CommandContext(ctx, k9s, wanted.Arguments...)
	command.Dir, command.Env = directory, environment
	shown, err := wanted.open(ctx, command)
	if err != nil {
		return err
	}
	recorded := cast{header{2, int(wanted.Columns), int(wanted.Rows), wanted.Title}, []event{{0, shown}, {1, ""}}}
	if text, err = recorded.marshal(); err != nil {
		return fmt.Errorf("encode cast: %w", err)
	}
	return write(k9sCastFile, text)
}

// configureK9s writes the files of the examples, without ages, and settings of k9s.
func configureK9s(directory, examples string) error {
	files := map[string][]byte{
		"config.yaml": []byte(k9sSettings),
		filepath.Join("skins", "plain.yaml"): []byte("k9s: {body: {bgColor: default, logoColor: yellow}, info: {sectionColor: white}, prompt: {bgColor: default}, frame: {title: {bgColor: default}}, " +
			"views: {table: {bgColor: default, header: {bgColor: default}}}}\n"),
	}
	for _, name := range []string{"views.yaml", "plugins.yaml"} {
		text, err := os.ReadFile(filepath.Join(examples, name))
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		files[name] = age.ReplaceAll(text, []byte("$0|H")) // hidden
	}
	if err := os.Mkdir(filepath.Join(directory, "skins"), 0o700); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(directory, name), text, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// open runs k9s until its screen shows what is wanted, and has been still for a while. It returns the output that draws the screen.
func (s screen) open(ctx context.Context, k9s *exec.Cmd) (string, error) {
	wanted, err := regexp.Compile(s.Shows)
	if err != nil {
		return "", fmt.Errorf("parse %s: %w", k9sFile, err)
	}
	terminal, err := pty.StartWithSize(k9s, &pty.Winsize{Cols: s.Columns, Rows: s.Rows})
	if err != nil {
		return "", fmt.Errorf("start k9s: %w", err)
	}
	drawn := vt.NewEmulator(int(s.Columns), int(s.Rows))
	output := make(chan []byte)
	go func() {
		defer close(output)
		buffer := make([]byte, 4096)
		for {
			n, err := terminal.Read(buffer)
			output <- slices.Clone(buffer[:n])
			if err != nil {
				return
			}
		}
	}()
	defer func() {
		_ = k9s.Process.Kill() // it may have ended
		for range output {
			continue // until k9s has ended
		}
		_ = k9s.Wait() // killed
		_ = terminal.Close()
	}()
	before := ""
	still := time.NewTimer(stillSeconds * time.Second)
	for {
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the screen of k9s: %w; it shows\n%s", ctx.Err(), drawn.String())
		case text, ok := <-output:
			if !ok {
				return "", errors.New("k9s has ended")
			}
			_, _ = drawn.Write(text) // cannot fail before Close
			if now := drawn.Render(); now != before {
				before = now
				still.Reset(stillSeconds * time.Second)
			}
		case <-still.C:
			if wanted.MatchString(drawn.String()) {
				return hideCursor + strings.ReplaceAll(before, "\n", "\r\n"), nil
			}
			still.Reset(stillSeconds * time.Second)
		}
	}
}
