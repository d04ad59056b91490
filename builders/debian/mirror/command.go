// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

const usage = `Keep the Debian packages that builds install, and serve them, also offline.

Usage:
  goldsmith debian-builder mirror --dir DIRECTORY [flags]

Examples:
  goldsmith debian-builder mirror --dir /srv/mirror
  goldsmith debian-builder mirror --dir /srv/mirror --offline

Flags:
`

// flags are those of the command.
type flags struct {
	options Options
	listen  string
	refresh bool
}

// Main is the command "mirror": it serves a mirror until the context ends. It returns the exit code.
func Main(ctx context.Context, stdout, stderr io.Writer, args []string) int {
	parsed, err := parse(stdout, args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		parsed.options.Log = log.New(stderr, "", log.LstdFlags)
		err = run(ctx, parsed)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "Error:", err)
		return 1
	}
	return 0
}

func parse(help io.Writer, args []string) (*flags, error) {
	f := &flags{}
	set := flag.NewFlagSet("mirror", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&f.options.Directory, "dir", "", "`directory` of the kept files; created if it does not exist")
	set.StringVar(&f.listen, "listen", "127.0.0.1:3142", "`address` to listen on; 127.0.0.1:3142 by default")
	set.BoolVar(&f.options.Offline, "offline", false, "fetch nothing: answer files that are not kept with 404")
	set.BoolVar(&f.refresh, "refresh", false, "first replace the kept state of each archive by its present state")
	set.Func("allow", "`host` to fetch from, with its port if that is not 80; repeatable. Without it, every host with a public address on port 80", func(host string) error {
		host = strings.TrimSuffix(strings.ToLower(host), ":80")
		if !hostPattern.MatchString(host) {
			return errors.New("must be the name of a host, with its port if that is not 80")
		}
		f.options.Allow = append(f.options.Allow, host)
		return nil
	})
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			_, _ = io.WriteString(help, usage)
			set.VisitAll(func(f *flag.Flag) {
				value, text := flag.UnquoteUsage(f)
				_, _ = fmt.Fprintf(help, "  --%-18s %s\n", strings.TrimSpace(f.Name+" "+strings.ToUpper(value)), text)
			})
		}
		return nil, err
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case f.options.Directory == "":
		return nil, errors.New("--dir is required: the directory of the kept files")
	case f.options.Offline && f.refresh:
		return nil, errors.New("--refresh needs the network: leave out --offline")
	}
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return nil, fmt.Errorf("--listen: %w", err)
	}
	if ip := net.ParseIP(host); (ip == nil || !ip.IsLoopback()) && host != "localhost" && len(f.options.Allow) == 0 && !f.options.Offline {
		return nil, fmt.Errorf("--listen %s lets other machines fetch from every host: name the hosts of the archives with --allow", f.listen)
	}
	return f, nil
}

// run serves a mirror until the context ends.
func run(ctx context.Context, f *flags) (err error) {
	m, err := Open(f.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if f.refresh {
		if err := m.Refresh(ctx); err != nil {
			return err
		}
	}
	if err := m.logStates(); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return m.serveUntil(ctx, listener)
}

// serveUntil serves until the context ends. Clients then have 10 seconds to read their answers.
func (m *Mirror) serveUntil(ctx context.Context, listener net.Listener) error {
	const grace = 10 * time.Second
	server := &http.Server{Handler: m, ReadHeaderTimeout: time.Minute, IdleTimeout: time.Minute, ErrorLog: m.options.Log}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	m.options.Log.Printf("serving %s on http://%s", m.options.Directory, listener.Addr())
	select {
	case err := <-ended:
		return fmt.Errorf("serve the mirror: %w", err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		_ = server.Close()
	}
	s := m.Statistics()
	m.options.Log.Printf("served %d bytes: %d hits, %d misses, %d bytes fetched", s.Bytes, s.Hits, s.Misses, s.FetchedBytes)
	return nil
}
