// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

func TestANewDatabaseIsMigratedAndOpensAgain(t *testing.T) {
	for name, newAddress := range databases() {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			address := newAddress(t)
			for range 2 {
				store := valueOf(records.Open(t.Context(), address, records.Options{}))(g)
				g.Expect(store.Ping(t.Context())).To(Succeed())
				g.Expect(store.SchemaVersion(t.Context())).To(Equal(int64(current)))
				g.Expect(store.PutBuild(t.Context(), newBuild(debian, 1, 0))).To(Succeed())
				g.Expect(store.Count(t.Context(), "SELECT COUNT(*) FROM builds")).To(Equal(int64(1)))
				g.Expect(store.Close()).To(Succeed())
				g.Expect(store.Ping(t.Context())).NotTo(Succeed())
			}
		})
	}
}

func TestOnlyItsOwnerReadsASQLiteDatabase(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	store := openStore(t, "sqlite://"+filepath.Join(folder, "records.db"), records.Options{})
	g.Expect(store.PutBuild(t.Context(), newBuild(debian, 1, 0))).To(Succeed())
	files := valueOf(os.ReadDir(folder))(g)
	var found []string
	for _, file := range files {
		g.Expect(valueOf(file.Info())(g).Mode().Perm()).To(Equal(fs.FileMode(0o600)), file.Name())
		found = append(found, file.Name())
	}
	g.Expect(found).To(ConsistOf("records.db", "records.db-wal", "records.db-shm", "records.db.lock"))
}

func TestASQLiteDatabaseMayHaveAnyPath(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	for _, name := range []string{"a b.db", "ä.db", "a%3Fb.db", "a%23b.db", "a%25b.db", "a&b=c.db", "a;b'c\".db"} {
		openStore(t, "sqlite://"+folder+"/"+name, records.Options{})
		unescaped := strings.NewReplacer("%3F", "?", "%23", "#", "%25", "%").Replace(name)
		g.Expect(filepath.Join(folder, unescaped)).To(BeARegularFile())
	}
}

func TestAddressesThatAreNoneAreRefusedWithoutThePassword(t *testing.T) {
	for _, address := range []string{
		"", "sqlite:", "sqlite://", "sqlite://records.db", "sqlite:records.db", "sqlite:///", "sqlite:///a?_pragma=x", "sqlite:///a#b",
		"sqlite://user:secret@/a.db", "sqlite:///a%00b", "sqlite:///a%zz", "mysql://user:secret@host/db", "postgres://user:sec ret@host/db",
		"postgres://user:se/cret@host/db", "postgres://user:se%cret@host/db", "postgres://user:secret@host:port/db",
		"host=x password='secret", "host=x password=secret port=no", "host=x password=secret sslmode=never", "secret",
		"postgres://user:secret@host/db?connect_timeout=never", "host=x password='se\\'cret' port=no",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := records.Open(ctx, address, records.Options{Timeout: time.Second})
		cancel()
		g := NewWithT(t)
		if address != "" { // the environment sets the database of an empty address
			g.Expect(err).To(MatchError(records.ErrInvalid), address)
		}
		for _, part := range []string{"cret", "sec", "ret@"} {
			g.Expect(everythingOf(err)).NotTo(ContainSubstring(part), address)
		}
	}
}

func TestWhatCannotBeConnectedToSaysWhyWithoutThePassword(t *testing.T) {
	needPostgres(t)
	g := NewWithT(t)
	g.Expect(shared.do(t.Context(), "postgres", "DROP ROLE IF EXISTS guarded; CREATE ROLE guarded LOGIN PASSWORD 'right'")).To(Succeed())
	host := "host=" + shared.folder
	for address, want := range map[string]string{
		host + " user=guarded password=secret dbname=postgres":        "password authentication failed",
		host + " user=postgres password=secret dbname=nowhere":        `database "nowhere" does not exist`,
		host + "/nowhere user=postgres password=secret dbname=x":      "no such file or directory",
		"postgres://user:secret@127.0.0.1:1/db?sslmode=disable":       "connection refused",
		"postgres://user:secret@host.invalid/db?sslmode=disable":      "hostname resolving error",
		host + " user=guarded dbname=postgres passfile=/dev/null":     "password",
		"sqlite:///nowhere/at/all/records.db":                         "no such file or directory",
		"sqlite://" + t.TempDir():                                     "database",
		"postgresql://postgres:secret@/nowhere?host=" + shared.folder: "does not exist",
	} {
		_, err := records.Open(t.Context(), address, records.Options{Timeout: 5 * time.Second})
		g.Expect(err).To(MatchError(ContainSubstring(want)), address)
		g.Expect(err).NotTo(MatchError(records.ErrInvalid), address)
		g.Expect(everythingOf(err)).NotTo(ContainSubstring("secret"))
		var withConfig *pgconn.ConnectError
		g.Expect(errors.As(err, &withConfig)).To(BeFalse(), "the error holds the password")
	}
	store, err := records.Open(t.Context(), host+" user=guarded password=right dbname=postgres", records.Options{})
	if err == nil { // a role may be allowed to create tables
		g.Expect(store.Close()).To(Succeed())
	} else {
		g.Expect(err).To(MatchError(ContainSubstring("permission denied")))
	}
}

func TestADatabaseThatIsNewerIsRefused(t *testing.T) {
	newer := next(t, "ALTER TABLE notes ADD COLUMN mood TEXT;")
	for name, newAddress := range databases() {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			address := newAddress(t)
			store := valueOf(records.OpenWith(t.Context(), address, records.Options{}, newer))(g)
			g.Expect(store.SchemaVersion(t.Context())).To(Equal(int64(current + 1)))
			g.Expect(store.Close()).To(Succeed())
			before, _ := os.ReadFile(strings.TrimPrefix(address, "sqlite://")) // nothing of PostgreSQL
			_, err := records.Open(t.Context(), address, records.Options{})
			g.Expect(err).To(MatchError(records.ErrNewer))
			after, _ := os.ReadFile(strings.TrimPrefix(address, "sqlite://"))
			g.Expect(bytes.Equal(after, before)).To(BeTrue(), "the file was changed") // the files are too large for a message
			g.Expect(err).To(MatchError(ContainSubstring(fmt.Sprintf("database version is %d, but this program knows versions up to %d", current+1, current))))
		})
	}
}

func TestOfAMigrationThatFailsHalfWayNothingIsApplied(t *testing.T) {
	broken := next(t, "ALTER TABLE notes ADD COLUMN mood TEXT; CREATE TABLE moods (mood TEXT); UPDATE notes SET body = ''; INSERT INTO nowhere VALUES (1);")
	for name, newAddress := range databases() {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			address := newAddress(t)
			store := valueOf(records.Open(t.Context(), address, records.Options{}))(g)
			g.Expect(store.AddNote(t.Context(), debian, records.Note{Author: "jane", Text: "hello"})).Error().NotTo(HaveOccurred())
			g.Expect(store.Close()).To(Succeed())
			for range 2 {
				_, err := records.OpenWith(t.Context(), address, records.Options{}, broken)
				g.Expect(err).To(MatchError(ContainSubstring(fmt.Sprintf("migrate the database to version %d (the migration was rolled back)", current+1))))
				g.Expect(err).To(MatchError(ContainSubstring("nowhere")))
				g.Expect(err).To(MatchError(records.ErrMigration))
			}
			store = openStore(t, address, records.Options{})
			g.Expect(store.SchemaVersion(t.Context())).To(Equal(int64(current)))
			g.Expect(store.Count(t.Context(), "SELECT COUNT(*) FROM notes WHERE body = 'hello'")).To(Equal(int64(1)))
			g.Expect(store.Execute(t.Context(), "SELECT mood FROM notes")).NotTo(Succeed())
			g.Expect(store.Execute(t.Context(), "SELECT mood FROM moods")).NotTo(Succeed())
		})
	}
}

func TestADatabaseOfTheFirstVersionIsMigrated(t *testing.T) {
	const file = "00004_records.sql"
	first := fstest.MapFS{file: {Data: valueOf(fs.ReadFile(records.Migrations(), file))(NewWithT(t))}}
	for name, newAddress := range databases() {
		t.Run(name, func(t *testing.T) {
			g, ctx := NewWithT(t), t.Context()
			address := newAddress(t)
			store := valueOf(records.OpenWith(ctx, address, records.Options{}, first))(g)
			g.Expect(store.SchemaVersion(ctx)).To(Equal(int64(4)))
			g.Expect(store.Execute(ctx, "INSERT INTO builds (uid, namespace, name, image_uid, image_name, number, trigger_reason, trigger_message, requested_by, phase, class, reason, "+
				"message, attempts, created, hold, finished, resource_version) VALUES ('b', 'team', 'b', '', '', 0, '', '', '', '', '', '', '', 0, 0, 0, 1, 1)")).To(Succeed())
			g.Expect(store.Execute(ctx, "INSERT INTO artifacts (build_uid, target, digest, size_bytes, media_type) VALUES ('b', 'linux/amd64/raw', 'sha256:x', 1, '')")).To(Succeed())
			g.Expect(store.Close()).To(Succeed())
			store = openStore(t, address, records.Options{})
			g.Expect(store.SchemaVersion(ctx)).To(Equal(int64(current)))
			g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM artifacts WHERE lock = ''")).To(Equal(int64(1)))
			g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM builds WHERE revocation = ''")).To(Equal(int64(1)))
			build := newBuild(records.ImageKey{Namespace: "team"}, 0, 0)
			build.Name, build.UID, build.ResourceVersion, build.Spec.ImageRef = "b", "b", "1", nil
			build.Status.Tests = []v1alpha1.TestStatus{{Name: "boots", Gates: true, Outcome: v1alpha1.TestFailed}}
			g.Expect(store.PutBuild(ctx, build)).To(Succeed(), "the same version of the build")
			g.Expect(valueOf(store.Build(ctx, "team", "b"))(g).FailedTests).To(Equal([]string{"boots"}))
		})
	}
}

func TestAServerThatGoesAwayWhileItIsMigratedIsWorthTryingAgain(t *testing.T) {
	g := NewWithT(t)
	address := newPostgresDatabase(t)
	for name, statement := range map[string]string{
		"restarted": "SELECT pg_terminate_backend(pg_backend_pid());",
		"cancelled": "SELECT pg_cancel_backend(pg_backend_pid());",
	} {
		_, err := records.OpenWith(t.Context(), address, records.Options{}, fstest.MapFS{"00001_records.sql": {Data: []byte(statement)}})
		g.Expect(err).To(HaveOccurred(), name)
		g.Expect(err).NotTo(MatchError(records.ErrMigration), name)
	}
	g.Expect(openStore(t, address, records.Options{}).SchemaVersion(t.Context())).To(Equal(int64(current)))
}

func TestATableOfSomebodyElseIsLeftAlone(t *testing.T) {
	g := NewWithT(t)
	address := newPostgresDatabase(t)
	database := address[strings.LastIndex(address, "=")+1:]
	g.Expect(shared.do(t.Context(), database, "CREATE TABLE builds (mine INT)")).To(Succeed())
	g.Expect(errorOf(records.Open(t.Context(), address, records.Options{}))).To(MatchError(ContainSubstring(`relation "builds" already exists`)))
	g.Expect(shared.do(t.Context(), database, "INSERT INTO builds VALUES (1)")).To(Succeed())
	g.Expect(shared.do(t.Context(), database, "SELECT 1 FROM images")).NotTo(Succeed())
}

func TestManyMayOpenANewDatabaseAtTheSameTime(t *testing.T) {
	for name, newAddress := range databases() {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			address := newAddress(t)
			failures := make(chan error, 8)
			var all sync.WaitGroup
			for i := range cap(failures) {
				all.Go(func() {
					if i%2 == 0 {
						failures <- openInAnotherProcess(t.Context(), address)
						return
					}
					store, err := records.Open(t.Context(), address, records.Options{})
					if err == nil {
						err = errors.Join(store.PutBuild(t.Context(), newBuild(debian, int64(i), 0)), store.Close())
					}
					failures <- err
				})
			}
			all.Wait()
			close(failures)
			for err := range failures {
				g.Expect(err).NotTo(HaveOccurred())
			}
			store := openStore(t, address, records.Options{})
			g.Expect(store.Count(t.Context(), "SELECT COUNT(*) FROM goldsmith_records_version WHERE version_id = 4")).To(Equal(int64(1)))
			g.Expect(store.Count(t.Context(), "SELECT COUNT(*) FROM builds")).To(Equal(int64(4)))
		})
	}
}

// The second process must not begin before the first process has finished, because the migrations are then done.
func TestWhoComesSecondWaitsForTheMigrationsOfTheFirst(t *testing.T) {
	newer := next(t, "ALTER TABLE notes ADD COLUMN mood TEXT;")
	t.Run("PostgreSQL", func(t *testing.T) {
		g, ctx := NewWithT(t), t.Context()
		address := newPostgresDatabase(t)
		store := valueOf(records.Open(ctx, address, records.Options{}))(g)
		g.Expect(store.Close()).To(Succeed())
		blockade := newBlockade(ctx, g, "pgx", address, "LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
		failures := make(chan error)
		for range 2 {
			go func() {
				store, err := records.OpenWith(ctx, address, records.Options{}, newer)
				if err == nil {
					err = store.Close()
				}
				failures <- err
			}()
		}
		g.Eventually(blockade.somebodyWaits).WithTimeout(faultTimeout).Should(Equal(1))
		g.Eventually(func() (waiting int, err error) {
			return waiting, blockade.db.QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'idle' AND query LIKE 'SELECT pg_try_advisory_lock%' AND datname = $1",
				databaseOf(address)).Scan(&waiting)
		}).WithTimeout(faultTimeout).Should(Equal(1))
		g.Expect(blockade.end()).To(Succeed())
		g.Expect(<-failures).To(Succeed())
		g.Expect(<-failures).To(Succeed())
	})
	t.Run("SQLite", func(t *testing.T) {
		g, ctx := NewWithT(t), t.Context()
		path := filepath.Join(t.TempDir(), "records.db")
		folder := &lookedAt{MapFS: newer, look: func() {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, err := records.LockFile(ended, path)
			g.Expect(err).To(MatchError(context.Canceled), "the lock is taken")
		}}
		store := valueOf(records.OpenWith(ctx, "sqlite://"+path, records.Options{}, folder))(g)
		g.Expect(folder.looked).To(Equal(len(newer)))
		unlock, err := records.LockFile(ctx, path)
		g.Expect(err).NotTo(HaveOccurred(), "the lock is free again")
		g.Expect(unlock()).To(Succeed())
		g.Expect(store.Close()).To(Succeed())
	})
}

// lookedAt is a folder of migrations that does something when one is read.
type lookedAt struct {
	fstest.MapFS
	look   func()
	looked int
}

func (l *lookedAt) ReadFile(name string) ([]byte, error) {
	l.look()
	l.looked++
	return l.MapFS.ReadFile(name)
}

func TestOpenStopsWaitingWhenItsContextEnds(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "records.db")
	unlock := valueOf(records.LockFile(t.Context(), path))(g)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	g.Expect(errorOf(records.Open(ctx, "sqlite://"+path, records.Options{}))).To(
		And(MatchError(context.DeadlineExceeded), MatchError(ContainSubstring(path+".lock"))))
	g.Expect(unlock()).To(Succeed())
	openStore(t, "sqlite://"+path, records.Options{})
}

// everythingOf returns all that a log could contain about an error and its wrapped errors.
func everythingOf(err error) string {
	if err == nil {
		return ""
	}
	said := fmt.Sprintf("%v %+v %#v\n", err, err, err)
	switch wrapped := err.(type) { //nolint:errorlint // each error is inspected by itself
	case interface{ Unwrap() error }:
		said += everythingOf(wrapped.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range wrapped.Unwrap() {
			said += everythingOf(one)
		}
	}
	return said
}

func openInAnotherProcess(ctx context.Context, address string) error {
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = append(os.Environ(), openVariable+"="+address)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// current is the version of this program.
const current = 8

// next is this program's migrations, and one more.
func next(t *testing.T, statements string) fstest.MapFS {
	t.Helper()
	g := NewWithT(t)
	folder := fstest.MapFS{fmt.Sprintf("%05d_next.sql", current+1): {Data: []byte(statements)}}
	for _, name := range valueOf(fs.Glob(records.Migrations(), "*.sql"))(g) {
		folder[name] = &fstest.MapFile{Data: valueOf(fs.ReadFile(records.Migrations(), name))(g)}
	}
	return folder
}
