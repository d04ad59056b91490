// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// A postgres is a PostgreSQL server of the tests' own, on a unix socket.
type postgres struct {
	folder    string
	binaries  string
	account   *syscall.Credential // whose processes these are: the server refuses to be root's
	settings  []string
	databases atomic.Int32
	process   *os.Process
	ended     chan struct{}
}

const startTimeout = time.Minute

// newPostgres creates and starts a server. It fails without the programs of PostgreSQL, which tests of records require.
func newPostgres(ctx context.Context, settings ...string) (_ *postgres, err error) {
	p := &postgres{settings: settings}
	if p.binaries, err = postgresBinaries(); err != nil {
		return nil, err
	}
	if p.folder, err = os.MkdirTemp("", "goldsmith-pg-"); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		if p.account, err = accountOf("postgres"); err != nil {
			return nil, err
		}
		if err := os.Chown(p.folder, int(p.account.Uid), int(p.account.Gid)); err != nil {
			return nil, err
		}
	}
	// A locale whose order is not that of bytes, as production has it.
	if err := p.run(ctx, "initdb", "--pgdata", p.data(), "--username", "postgres", "--auth", "trust", "--no-sync", "--encoding", "UTF8",
		"--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en"); err != nil {
		return nil, err
	}
	access := "local all guarded scram-sha-256\nlocal all all trust\n"
	if err := os.WriteFile(filepath.Join(p.data(), "pg_hba.conf"), []byte(access), 0o600); err != nil {
		return nil, err
	}
	return p, p.start(ctx)
}

func postgresBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("there is no initdb in PATH or /usr/lib/postgresql: these tests need a PostgreSQL server, version 15 or later: apt-get install postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func accountOf(name string) (*syscall.Credential, error) {
	account, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("root cannot run PostgreSQL and needs the account of its package: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uidErr, gidErr)
}

func (p *postgres) data() string { return filepath.Join(p.folder, "data") }

func (p *postgres) run(ctx context.Context, program string, args ...string) error {
	command := exec.CommandContext(ctx, filepath.Join(p.binaries, program), args...)
	command.Dir = p.folder
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.account}
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

// start starts the server, and returns once it answers.
func (p *postgres) start(ctx context.Context) error {
	args := []string{"-D", p.data(), "-k", p.folder, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "max_prepared_transactions=1"}
	for _, setting := range p.settings {
		args = append(args, "-c", setting)
	}
	log, err := os.Create(filepath.Join(p.folder, "log"))
	if err != nil {
		return err
	}
	started := make(chan error)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = log.Close() }()
		runtime.LockOSThread() // the server is to end with this process, and its parent is a thread
		command := exec.Command(filepath.Join(p.binaries, "postgres"), args...)
		command.Dir, command.Stdout, command.Stderr = p.folder, log, log
		command.SysProcAttr = &syscall.SysProcAttr{Credential: p.account, Pdeathsig: syscall.SIGQUIT}
		if err := command.Start(); err != nil {
			started <- err
			return
		}
		p.process = command.Process
		started <- nil
		_ = command.Wait() // how it ends is up to those that end it
	}()
	if err := <-started; err != nil {
		return err
	}
	p.ended = ended
	return p.ready(ctx)
}

func (p *postgres) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := sql.Open("pgx", p.address("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-p.ended:
			return fmt.Errorf("PostgreSQL has ended:\n%s", p.log())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, p.log())
		}
	}
}

func (p *postgres) log() string {
	content, _ := os.ReadFile(filepath.Join(p.folder, "log"))
	return string(bytes.TrimSpace(content))
}

// address of a database, as keywords.
func (p *postgres) address(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s", p.folder, database)
}

// newDatabase returns the address of a database that is empty.
func (p *postgres) newDatabase(ctx context.Context) (string, error) {
	name := fmt.Sprintf("records%d", p.databases.Add(1))
	return p.address(name), p.do(ctx, "postgres", "CREATE DATABASE "+name)
}

// do runs a statement as somebody else than the store.
func (p *postgres) do(ctx context.Context, database, statement string) error {
	db, err := sql.Open("pgx", p.address(database))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}

// end ends the server: SIGINT drops every connection, SIGQUIT is a crash.
func (p *postgres) end(signal syscall.Signal) error {
	if err := p.process.Signal(signal); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// remove ends the server and leaves nothing behind.
func (p *postgres) remove() error {
	if p == nil || p.folder == "" {
		return nil
	}
	var err error
	if p.ended != nil {
		select {
		case <-p.ended:
		default:
			err = p.end(syscall.SIGINT)
		}
	}
	return errors.Join(err, os.RemoveAll(p.folder))
}
