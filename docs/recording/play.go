// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
)

// session is what to record.
type session struct {
	Title         string
	Columns, Rows uint16 // of the terminal
	Builder       string // to register with the server: the one that "goldsmith init BUILDER --shell" writes
	Steps         []struct {
		Command string  // to type and to run. It must succeed
		Seconds float64 // for the reader, afterwards
	}
}

// parse decodes JSON without unknown fields.
func parse[T any](text []byte) (parsed T, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&parsed); err != nil {
		return parsed, fmt.Errorf("decode %T: %w", parsed, err)
	}
	return parsed, nil
}

const (
	keystroke = 35 * time.Millisecond
	// prompt is $PS1. Before a green dollar it reports the exit status of the last command with the sequence that terminals with shell
	// integration know. Other terminals ignore the sequence.
	prompt = `\[\e]133;D;$?\a\e[1;32m\]$\[\e[0m\] `
)

// prompted finds the exit status in a prompt.
var prompted = regexp.MustCompile(`\x1b\]133;D;(\d+)\x07`)

// play types the commands of a session into a shell, and records what its terminal shows.
func (s session) play(ctx context.Context, directory string, environment []string) (cast, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-i")
	shell.Dir, shell.Env = directory, slices.Concat(environment, []string{"PS1=" + prompt, "TERM=xterm-256color"})
	terminal, err := pty.StartWithSize(shell, &pty.Winsize{Cols: s.Columns, Rows: s.Rows})
	if err != nil {
		return cast{}, fmt.Errorf("start bash: %w", err)
	}
	defer func() { _ = terminal.Close() }()
	r := recorder{start: time.Now(), statuses: make(chan string)}
	go r.record(ctx, terminal)

	err = s.typeInto(terminal, r.statuses)
	end := r.now()
	cancel()
	_ = shell.Wait() // killed
	for range r.statuses {
		continue // until the recorder has ended
	}
	if err != nil {
		return cast{}, err
	}
	return cast{
		header: header{Version: 2, Width: int(s.Columns), Height: int(s.Rows), Title: s.Title},
		events: append(r.events, event{seconds: end}),
	}, nil
}

// typeInto runs one command after another, each once the prompt has appeared.
func (s session) typeInto(terminal io.Writer, statuses <-chan string) error {
	<-statuses // of the first prompt
	for _, step := range s.Steps {
		if step.Command != "" {
			if err := run(step.Command, terminal, statuses); err != nil {
				return fmt.Errorf("run %q: %w", step.Command, err)
			}
		}
		time.Sleep(time.Duration(step.Seconds * float64(time.Second)))
	}
	return nil
}

func run(command string, terminal io.Writer, statuses <-chan string) error {
	for _, character := range command + "\r" {
		time.Sleep(keystroke)
		if _, err := io.WriteString(terminal, string(character)); err != nil {
			return fmt.Errorf("type: %w", err)
		}
	}
	if status, ok := <-statuses; !ok {
		return errors.New("the shell has ended")
	} else if status != "0" {
		return fmt.Errorf("exit status %s", status)
	}
	return nil
}

// recorder keeps what a terminal shows, and when.
type recorder struct {
	start    time.Time
	events   []event
	statuses chan string
}

// now returns the time since the start, in seconds with three decimals.
func (r *recorder) now() float64 { return math.Round(time.Since(r.start).Seconds()*1000) / 1000 }

// record reads the terminal until its shell has ended. It sends the exit status in each prompt.
func (r *recorder) record(ctx context.Context, terminal io.Reader) {
	defer close(r.statuses)
	var unfinished, searched []byte
	buffer := make([]byte, 4096)
	for {
		n, err := terminal.Read(buffer)
		unfinished = append(unfinished, buffer[:n]...)
		if whole := wholeCharacters(unfinished); whole > 0 {
			r.events = append(r.events, event{seconds: r.now(), output: string(unfinished[:whole])})
			unfinished = unfinished[whole:]
		}
		searched = append(searched, buffer[:n]...)
		for found := prompted.FindSubmatchIndex(searched); found != nil; found = prompted.FindSubmatchIndex(searched) {
			select {
			case r.statuses <- string(searched[found[2]:found[3]]):
			case <-ctx.Done():
			}
			searched = searched[found[1]:]
		}
		if err != nil {
			return
		}
	}
}

// wholeCharacters returns how many bytes precede a character whose end has not been read yet.
func wholeCharacters(text []byte) int {
	for i := max(0, len(text)-utf8.UTFMax+1); i < len(text); i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			return i
		}
	}
	return len(text)
}
