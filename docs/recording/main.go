// SPDX-License-Identifier: Apache-2.0

// Command recording plays a session against a Goldsmith server that it starts. It writes what the terminal shows as an asciicast, and
// draws the asciicast as an animated SVG. Run it in its own folder.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	sessionFile = "session.json"
	castFile    = "../recording.cast"
)

func main() {
	program := flag.String("program", "", "goldsmith to record; without it, the existing cast is drawn again")
	k9s := flag.String("k9s", "", "k9s to record; without it, its existing cast is drawn again")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := recordAndDraw(ctx, *program, *k9s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

func recordAndDraw(ctx context.Context, program, k9s string) error {
	if program != "" {
		program, err := filepath.Abs(program)
		if err != nil {
			return fmt.Errorf("find program: %w", err)
		}
		if err := record(ctx, program); err != nil {
			return err
		}
		if k9s != "" {
			if err := recordK9s(ctx, program, k9s); err != nil {
				return err
			}
		}
	}
	return errors.Join(draw(castFile), draw(k9sCastFile))
}

// record writes the cast.
func record(ctx context.Context, program string) (err error) {
	text, err := os.ReadFile(sessionFile)
	if err != nil {
		return fmt.Errorf("read session: %w", err)
	}
	session, err := parse[session](text)
	if err != nil {
		return err
	}
	directory, err := os.MkdirTemp("", "recording-")
	if err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()

	environment := []string{"PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "HOME=" + directory, "LANG=C.UTF-8"}
	stop, err := serve(ctx, program, session.Builder, directory, environment)
	if err != nil {
		return err
	}
	recorded, err := session.play(ctx, directory, environment)
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	cast, err := recorded.marshal()
	if err != nil {
		return fmt.Errorf("encode cast: %w", err)
	}
	return write(castFile, cast)
}

// serve starts a server with a builder, and returns once the server is ready. The session's commands find its kubeconfig in directory.
func serve(ctx context.Context, program, builder, directory string, environment []string) (stop func() error, err error) {
	builders := filepath.Join(directory, "builders")
	if err := os.Mkdir(builders, 0o700); err != nil {
		return nil, fmt.Errorf("create directory: %w", err)
	}
	write := exec.CommandContext(ctx, program, "init", builder, "--shell")
	write.Dir, write.Env = builders, environment
	if out, err := write.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("write builder: %w\n%s", err, out)
	}
	server := exec.CommandContext(ctx, program, "up", "--memory", "--builder", builder+"="+filepath.Join(builders, builder+"-builder.sh"))
	server.Dir, server.Env, server.Stderr = directory, environment, os.Stderr
	server.Cancel = func() error { return server.Process.Signal(os.Interrupt) }
	server.WaitDelay = 30 * time.Second // then it is killed
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "kubeconfig: ") { // the last line that it prints
			return func() error { return errors.Join(server.Cancel(), server.Wait()) }, nil
		}
	}
	return nil, fmt.Errorf("start server: it ended before it was ready: %w", errors.Join(lines.Err(), server.Wait()))
}

// svgFile returns the file of the SVG of a cast.
func svgFile(castFile string) string { return strings.TrimSuffix(castFile, ".cast") + ".svg" }

// draw writes the SVG of a cast.
func draw(castFile string) error {
	text, err := os.ReadFile(castFile)
	if err != nil {
		return fmt.Errorf("read cast: %w", err)
	}
	cast, err := parseCast(text)
	if err != nil {
		return fmt.Errorf("parse %s: %w", castFile, err)
	}
	return write(svgFile(castFile), []byte(cast.svg()))
}

func write(file string, content []byte) error {
	if err := os.WriteFile(file, content, 0o644); err != nil { //nolint:gosec // everybody may read it, as every file of the repository
		return fmt.Errorf("write %s: %w", file, err)
	}
	fmt.Println(file)
	return nil
}
