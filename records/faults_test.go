// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	_ "modernc.org/sqlite"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

const faultTimeout = 30 * time.Second

func someBuilds(from, to int) []*v1alpha1.ImageBuild {
	var builds []*v1alpha1.ImageBuild
	for i := from; i < to; i++ {
		builds = append(builds, ran(newBuild(debian, int64(i), i), v1alpha1.BuildSucceeded, i+1, i+2))
	}
	return builds
}

// everythingIsThereOnce looks for a number of builds, each with one of everything.
func everythingIsThereOnce(ctx context.Context, g *WithT, store *records.Store, builds int) {
	for _, table := range []string{"builds", "documents", "attempts", "artifacts"} {
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM "+table)).To(Equal(int64(builds)), table)
	}
}

func ownPostgres(t *testing.T) (*postgres, string) {
	t.Helper()
	needPostgres(t)
	g := NewWithT(t)
	server, err := newPostgres(t.Context())
	t.Cleanup(func() { g.Expect(server.remove()).To(Succeed()) })
	g.Expect(err).NotTo(HaveOccurred())
	return server, valueOf(server.newDatabase(t.Context()))(g)
}

// A blockade is a transaction of somebody else that keeps what the store writes waiting.
type blockade struct {
	db *sql.DB
	tx *sql.Tx
}

func newBlockade(ctx context.Context, g *WithT, driver, name, statement string) *blockade {
	db := valueOf(sql.Open(driver, name))(g)
	tx := valueOf(db.BeginTx(ctx, nil))(g)
	g.Expect(tx.ExecContext(ctx, statement)).Error().NotTo(HaveOccurred())
	return &blockade{db: db, tx: tx}
}

// somebodyWaits is how many connections wait for a lock.
func (b *blockade) somebodyWaits() (waiting int, err error) {
	return waiting, b.db.QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()").Scan(&waiting)
}

func (b *blockade) end() error { return errors.Join(b.tx.Rollback(), b.db.Close()) }

func TestAServerThatCrashesInATransactionLosesNothingAndRepeatsNothing(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"crash": syscall.SIGQUIT, "restart": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, ctx := NewWithT(t), t.Context()
			server, address := ownPostgres(t)
			store := openStore(t, address, records.Options{Timeout: faultTimeout})
			g.Expect(store.PutBuilds(ctx, someBuilds(0, 20))).To(Succeed())

			// The rows of the builds are written then, those of their artifacts are not.
			blockade := newBlockade(ctx, g, "pgx", address, "LOCK TABLE artifacts IN ACCESS EXCLUSIVE MODE")
			// A prepared transaction outlives its connection. Otherwise the server could end that connection first, and unblock the writer.
			g.Expect(blockade.tx.ExecContext(ctx, "PREPARE TRANSACTION 'blockade'")).Error().NotTo(HaveOccurred())
			failed := make(chan error)
			go func() { failed <- store.PutBuilds(ctx, someBuilds(0, 50)) }()
			g.Eventually(blockade.somebodyWaits).WithTimeout(faultTimeout).Should(Equal(1))
			g.Expect(server.end(signal)).To(Succeed())
			g.Expect(<-failed).To(HaveOccurred())
			_ = blockade.end() // its connection is lost
			g.Expect(store.PutBuild(ctx, someBuilds(60, 61)[0])).NotTo(Succeed(), "while there is no server")
			_, err := store.History(ctx, records.Query{})
			g.Expect(err).To(HaveOccurred())

			g.Expect(server.start(ctx)).To(Succeed())
			g.Expect(server.do(ctx, databaseOf(address), "ROLLBACK PREPARED 'blockade'")).To(Succeed())
			everythingIsThereOnce(ctx, g, store, 20)
			g.Expect(store.PutBuilds(ctx, someBuilds(0, 50))).To(Succeed())
			everythingIsThereOnce(ctx, g, store, 50)
		})
	}
}

func TestACommitWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	address := newPostgresDatabase(t)
	proxy := newProxy(t, shared.folder)
	store := openStore(t, strings.Replace(address, shared.folder, proxy.folder, 1), records.Options{Timeout: faultTimeout})

	image := records.Outcome{Reason: "Ready"}
	for _, write := range []func() error{
		func() error { return store.PutBuilds(ctx, someBuilds(0, 10)) },
		func() error {
			_, err := store.AddNote(ctx, debian, records.Note{Author: "jane", Text: "hello"})
			return err
		},
		func() error { return store.AddOutcome(ctx, debian, image) },
		func() error {
			return store.AddChanges(ctx, debian, 1, noon, "jane", []v1alpha1.InputChange{{Path: "x"}})
		},
	} {
		before := proxy.lost.Load()
		proxy.loseCommit.Store(true)
		g.Expect(write()).To(Succeed(), "it is tried again by itself")
		g.Expect(proxy.lost.Load()).To(Equal(before+1), "an answer was lost")
		g.Expect(write()).To(Succeed())
	}
	everythingIsThereOnce(ctx, g, store, 10)
	for table, want := range map[string]int64{"notes": 2, "outcomes": 1, "changes": 1, "images": 1} {
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM "+table)).To(Equal(want), table)
	}
}

func TestDroppedConnectionsAreReplaced(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	address := newPostgresDatabase(t)
	store := openStore(t, address, records.Options{})
	for i := range 5 {
		g.Expect(shared.do(ctx, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+databaseOf(address)+"'")).To(Succeed())
		g.Expect(store.PutBuild(ctx, someBuilds(i, i+1)[0])).To(Succeed())
		g.Expect(shared.do(ctx, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+databaseOf(address)+"'")).To(Succeed())
		g.Expect(valueOf(store.History(ctx, records.Query{}))(g).Items).To(HaveLen(i + 1))
	}
}

func databaseOf(address string) string { return address[strings.LastIndex(address, "=")+1:] }

func TestADatabaseThatDoesNotAnswerIsNotWaitedForLongerThanAllowed(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) {
		g, ctx := NewWithT(t), t.Context()
		address := newPostgresDatabase(t)
		store := openStore(t, address, records.Options{Timeout: faultTimeout})
		store.SetTimeout(300 * time.Millisecond)
		blockade := newBlockade(ctx, g, "pgx", address, "LOCK TABLE artifacts, builds IN ACCESS EXCLUSIVE MODE")
		g.Expect(store.PutBuild(ctx, someBuilds(0, 1)[0])).To(MatchError(context.DeadlineExceeded))
		g.Expect(errorOf(store.History(ctx, records.Query{}))).To(MatchError(context.DeadlineExceeded))
		g.Expect(errorOf(store.ImageStats(ctx, records.ImageStatsQuery{}))).To(MatchError(context.DeadlineExceeded))
		g.Eventually(blockade.somebodyWaits).WithTimeout(faultTimeout).Should(Equal(0), "it does not wait on")
		g.Expect(blockade.end()).To(Succeed())
		store.SetTimeout(faultTimeout)
		g.Expect(store.PutBuild(ctx, someBuilds(0, 1)[0])).To(Succeed())
		everythingIsThereOnce(ctx, g, store, 1)
	})
	t.Run("SQLite", func(t *testing.T) {
		g, ctx := NewWithT(t), t.Context()
		path := filepath.Join(t.TempDir(), "records.db")
		patient := openStore(t, "sqlite://"+path, records.Options{Timeout: faultTimeout})
		store := openStore(t, "sqlite://"+path, records.Options{Timeout: time.Second}) // in a database that is there
		g.Expect(patient.PutBuild(ctx, someBuilds(0, 1)[0])).To(Succeed())
		blockade := newBlockade(ctx, g, "sqlite", "file:"+path+"?_txlock=immediate", "DELETE FROM builds")
		g.Expect(store.PutBuild(ctx, someBuilds(1, 2)[0])).To(MatchError(context.DeadlineExceeded))
		page, err := patient.History(ctx, records.Query{})
		g.Expect(err).NotTo(HaveOccurred(), "who writes keeps nobody from reading")
		g.Expect(page.Items).To(HaveLen(1))
		g.Expect(blockade.end()).To(Succeed())
		g.Eventually(func() error { return store.PutBuild(ctx, someBuilds(1, 2)[0]) }).WithTimeout(faultTimeout).Should(Succeed())
		everythingIsThereOnce(ctx, g, patient, 2)
	})
	t.Run("a server that does not answer", func(t *testing.T) {
		g := NewWithT(t)
		folder := t.TempDir()
		listener := valueOf(net.Listen("unix", filepath.Join(folder, ".s.PGSQL.5432")))(g)
		defer func() { _ = listener.Close() }()
		_, err := records.Open(t.Context(), "host="+folder+" user=x dbname=x", records.Options{Timeout: 200 * time.Millisecond})
		g.Expect(err).To(MatchError(ContainSubstring("timeout")))
	})
}

func TestAQueryIsEndedOnceItsTimeIsUp(t *testing.T) {
	onEach(t, records.Options{Timeout: faultTimeout}, func(g *WithT, ctx context.Context, store *records.Store) {
		store.SetTimeout(300 * time.Millisecond)
		for range 10 { // more than there are connections
			g.Expect(store.Endless(ctx)).To(MatchError(context.DeadlineExceeded))
		}
		stopped, stop := context.WithCancel(ctx)
		stop()
		g.Expect(store.Endless(stopped)).To(MatchError(context.Canceled))
		g.Eventually(func() error { return store.Ping(ctx) }).WithTimeout(faultTimeout).Should(Succeed())
	})
}

func TestTwoWritersAtTheSameTimeEndWithTheNewest(t *testing.T) {
	for name, newAddress := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, ctx := NewWithT(t), t.Context()
			address := newAddress(t)
			failures := make(chan error, 4)
			var all sync.WaitGroup
			for writer := range cap(failures) {
				store := openStore(t, address, records.Options{Timeout: faultTimeout})
				all.Go(func() { failures <- writeMuch(ctx, store, uint64(writer)) })
			}
			all.Wait()
			close(failures)
			for err := range failures {
				g.Expect(err).NotTo(HaveOccurred())
			}
			store := openStore(t, address, records.Options{})
			everythingIsThereOnce(ctx, g, store, 30)
			g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM builds WHERE finished = 1 AND resource_version = 200")).To(Equal(int64(30)))
			g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM notes")).To(Equal(int64(1)))
			outcomes := valueOf(store.Outcomes(ctx, debian.UID, records.Paging{Limit: records.MaxLimit}))(g)
			for i := range outcomes.Items[1:] {
				g.Expect(outcomes.Items[i].Reason).NotTo(Equal(outcomes.Items[i+1].Reason), "only changes are recorded")
			}
		})
	}
}

// writeMuch writes the same as others do, in an order of its own.
func writeMuch(ctx context.Context, store *records.Store, writer uint64) error {
	random := rand.New(rand.NewPCG(writer, 0))
	for round := range 10 {
		builds := someBuilds(0, 30)
		random.Shuffle(len(builds), func(i, j int) { builds[i], builds[j] = builds[j], builds[i] })
		for _, build := range builds[:random.IntN(len(builds))] {
			build.ResourceVersion = strconv.Itoa(100 + random.IntN(100))
			if random.IntN(2) == 0 {
				build.Status = v1alpha1.ImageBuildStatus{Phase: v1alpha1.BuildRunning}
			}
		}
		_, err := store.AddNote(ctx, debian, records.Note{ID: "the same", Author: "jane", Text: "hello"})
		if err := errors.Join(err, store.PutBuilds(ctx, builds), store.AddOutcome(ctx, debian, records.Outcome{Reason: strconv.Itoa(random.IntN(2))})); err != nil {
			return fmt.Errorf("writer %d, round %d: %w", writer, round, err)
		}
	}
	return store.PutBuilds(ctx, someBuilds(0, 30))
}

func TestADiskThatIsFullLosesNothingThatWasRecorded(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	store := openStore(t, "sqlite://"+filepath.Join(t.TempDir(), "records.db"), records.Options{})
	pages := valueOf(store.Count(ctx, "PRAGMA page_count"))(g)
	g.Expect(store.Execute(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages+200))).To(Succeed())
	recorded := 0
	var err error
	for err == nil {
		if err = store.PutBuilds(ctx, someBuilds(recorded, recorded+50)); err == nil {
			recorded += 50
		}
	}
	g.Expect(err).To(MatchError(ContainSubstring("full")))
	g.Expect(recorded).To(BeNumerically(">", 0))
	everythingIsThereOnce(ctx, g, store, recorded)
	page, err := store.History(ctx, records.Query{})
	g.Expect(err).NotTo(HaveOccurred(), "what is there can be read")
	g.Expect(page.Items).NotTo(BeEmpty())
	g.Expect(store.PutBuilds(ctx, someBuilds(recorded, recorded+50))).NotTo(Succeed())

	g.Expect(store.Execute(ctx, "PRAGMA max_page_count = 1000000")).To(Succeed())
	g.Expect(store.PutBuilds(ctx, someBuilds(0, recorded+50))).To(Succeed())
	everythingIsThereOnce(ctx, g, store, recorded+50)
}

// A proxy between a store and its server.
type proxy struct {
	folder     string
	server     string
	loseCommit atomic.Bool // the answer to the next commit
	lost       atomic.Int64
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	g := NewWithT(t)
	p := &proxy{folder: t.TempDir(), server: filepath.Join(server, ".s.PGSQL.5432")}
	listener := valueOf(net.Listen("unix", filepath.Join(p.folder, ".s.PGSQL.5432")))(g)
	t.Cleanup(func() { g.Expect(listener.Close()).To(Succeed()) })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("unix", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	var losing atomic.Bool
	go func() {
		defer func() { _, _ = client.Close(), server.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil || losing.Load() {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			_ = server.Close()
			return
		}
		if bytes.Contains(buffer[:n], []byte("commit\x00")) && p.loseCommit.CompareAndSwap(true, false) {
			losing.Store(true)
			p.lost.Add(1)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			_ = client.Close()
			return
		}
	}
}

func TestWhatWasAcknowledgedOutlivesItsWriter(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	address := "sqlite://" + filepath.Join(t.TempDir(), "records.db")
	acknowledged, kill := writeInAnotherProcess(t, address)
	last := ""
	for range 25 {
		last = <-acknowledged
	}
	kill()
	for line := range acknowledged { // lines that the process wrote before it was killed
		last = line
	}
	count := valueOf(strconv.Atoi(last))(g)
	store := openStore(t, address, records.Options{})
	for i := range count {
		g.Expect(store.Build(ctx, debian.Namespace, types.UID(fmt.Sprintf("%s-%d", debian.UID, i)))).Error().NotTo(HaveOccurred())
	}
	written := valueOf(store.Count(ctx, "SELECT COUNT(*) FROM builds"))(g)
	everythingIsThereOnce(ctx, g, store, int(written))
}

// writeInAnotherProcess starts a process that writes builds until it is killed, and prints the number of recorded builds after each.
func writeInAnotherProcess(t *testing.T, address string) (acknowledged <-chan string, kill func()) {
	t.Helper()
	g := NewWithT(t)
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), writeVariable+"="+address)
	out := valueOf(command.StdoutPipe())(g)
	g.Expect(command.Start()).To(Succeed())
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines, func() {
		g.Expect(command.Process.Kill()).To(Succeed())
		t.Cleanup(func() { _ = command.Wait() })
	}
}
