// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

var epoch = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// fixture is a store beside the output directory of a builder.
type fixture struct {
	*WithT
	t      *testing.T
	store  *Store
	dir    string // of the store
	output string
	clock  *testingclock.FakeClock
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{
		WithT: NewWithT(t), t: t, dir: filepath.Join(dir, "store"), output: filepath.Join(dir, "output"), clock: testingclock.NewFakeClock(epoch),
	}
	require.NoError(t, os.Mkdir(f.output, 0o700))
	f.reopen()
	return f
}

func (f *fixture) reopen() {
	f.t.Helper()
	f.store = require.Value(Open(f.dir, Options{Clock: f.clock}))(f.t)
}

func (f *fixture) path(name string) string { return filepath.Join(f.output, name) }

// write writes a file of the builder, as long ago as a build that sets all times.
func (f *fixture) write(name, content string) {
	f.t.Helper()
	require.NoError(f.t, os.MkdirAll(filepath.Dir(f.path(name)), 0o700))
	require.NoError(f.t, os.WriteFile(f.path(name), []byte(content), 0o600))
	require.NoError(f.t, os.Chtimes(f.path(name), time.Unix(1, 0), time.Unix(1, 0)))
}

func (f *fixture) take(ctx context.Context, name string) (Content, error) {
	root := require.Value(os.OpenRoot(f.output))(f.t)
	defer func() { _ = root.Close() }() // nothing was written
	taken := f.store.Take(ctx, root, name)[0]
	return taken.Content, taken.Err
}

func (f *fixture) taken(name, content string) Content {
	f.t.Helper()
	f.write(name, content)
	return require.Value(f.take(f.t.Context(), name))(f.t)
}

func (f *fixture) read(digest string) string {
	f.t.Helper()
	file := require.Value(f.store.OpenBlob(digest))(f.t)
	defer func() { _ = file.Close() }() // only read from
	return string(require.Value(io.ReadAll(file))(f.t))
}

func (f *fixture) ingested() []os.DirEntry {
	return require.Value(os.ReadDir(filepath.Join(f.dir, "ingest")))(f.t)
}

func contentOf(text string) Content {
	return Content{fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))), int64(len(text))}
}

func problemOf(err error) string {
	if problem, ok := errors.AsType[*FileError](err); ok {
		return problem.Problem
	}
	return fmt.Sprintf("not a *FileError: %v", err)
}

func TestAFileIsMovedAndStoredOnce(t *testing.T) {
	f := newFixture(t)
	f.write("disks/disk.raw", "disk")
	source := require.Value(os.Stat(f.path("disks/disk.raw")))(t)
	f.Expect(f.take(t.Context(), "disks/disk.raw")).To(Equal(contentOf("disk")))
	blob := require.Value(os.Stat(f.store.blob(contentOf("disk").Digest)))(t)
	f.Expect(os.SameFile(source, blob)).To(BeTrue(), "it was not copied")
	f.Expect(blob.Mode().Perm()).To(Equal(os.FileMode(0o444)))
	f.Expect(f.path("disks/disk.raw")).NotTo(BeAnExistingFile())
	used := f.store.Usage()
	f.Expect(used).To(BeNumerically(">", 0))

	f.Expect(f.taken("again", "disk")).To(Equal(contentOf("disk")))
	f.Expect(f.store.Usage()).To(Equal(used))
	f.Expect(f.ingested()).To(BeEmpty())
	f.Expect(f.read(contentOf("disk").Digest)).To(Equal("disk"))

	require.NoError(t, os.Chmod(f.store.blob(contentOf("disk").Digest), 0o600))
	require.NoError(t, os.WriteFile(f.store.blob(contentOf("disk").Digest), []byte("DISK"), 0o600)) // as long as the content
	f.taken("healing", "disk")
	f.Expect(f.read(contentOf("disk").Digest)).To(Equal("disk"))
}

func TestAFileThatCannotBeAnArtifactIsTheBuildersFault(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		make       func(f *fixture) error
		want       string
	}{
		{name: "absolute", path: "/etc/passwd", want: "is not a path relative to the output directory"},
		{name: "parent", path: "../../etc/passwd", want: "is outside the output directory"},
		{name: "no path", path: "", want: "is outside the output directory"},
		{name: "control character", path: "a\nb", want: "has a control character in its name"},
		{name: "missing", path: "disk", want: "does not exist"},
		{name: "file as a directory", path: "file/disk", want: "does not exist"},
		{name: "directory", path: "directory", want: "is a directory", make: func(f *fixture) error { return os.Mkdir(f.path("directory"), 0o700) }},
		{name: "output directory", path: ".", want: "is a directory"},
		{name: "empty", path: "empty", want: "is empty", make: func(f *fixture) error { return os.WriteFile(f.path("empty"), nil, 0o600) }},
		{name: "pipe", path: "pipe", want: "is a named pipe", make: func(f *fixture) error { return unix.Mkfifo(f.path("pipe"), 0o600) }},
		{name: "socket", path: "s", want: "is a socket", make: func(f *fixture) error {
			f.t.Chdir(f.output) // a socket has a short path
			listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: "s"})
			if err == nil {
				listener.SetUnlinkOnClose(false)
				err = listener.Close()
			}
			return err
		}},
		{name: "absolute link", path: "link", want: `leads through an absolute symbolic link, to "/etc/passwd": copy the file, or make the link relative within the directory`, make: func(f *fixture) error {
			return os.Symlink("/etc/passwd", f.path("link"))
		}},
		{name: "link to a directory behind an absolute link", path: "a/passwd", want: `leads through an absolute symbolic link, to "/etc": copy the file, or make the link relative within the directory`,
			make: func(f *fixture) error {
				return errors.Join(os.Mkdir(f.path("d"), 0o700), os.Symlink("d/b", f.path("a")), os.Symlink("/etc", f.path("d/b")))
			}},
		{name: "relative link", path: "link", want: "leads outside the output directory", make: func(f *fixture) error {
			return errors.Join(os.WriteFile(f.path("../secret"), []byte("secret"), 0o600), os.Symlink("../secret", f.path("link")))
		}},
		{name: "directory that is a link", path: "parent/secret", want: "leads outside the output directory", make: func(f *fixture) error {
			return errors.Join(os.WriteFile(f.path("../secret"), []byte("secret"), 0o600), os.Symlink("..", f.path("parent")))
		}},
		{name: "dangling link", path: "link", want: `is a dangling symbolic link to "nothing"`, make: func(f *fixture) error {
			return os.Symlink("nothing", f.path("link"))
		}},
		{name: "missing behind a link", path: "link/disk", want: "does not exist", make: func(f *fixture) error { return os.Symlink(".", f.path("link")) }},
		{name: "link to itself", path: "link", want: "cannot be opened: too many levels of symbolic links", make: func(f *fixture) error {
			return os.Symlink("link", f.path("link"))
		}},
		{name: "long name", path: strings.Repeat("n", 300), want: "cannot be opened: file name too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.write("file", "file")
			if tt.make != nil {
				require.NoError(t, tt.make(f))
			}
			_, err := f.take(t.Context(), tt.path)
			f.Expect(problemOf(err)).To(Equal(tt.want))
			f.Expect(err).To(MatchError(fmt.Sprintf("file %q %s", tt.path, tt.want)))
			f.Expect(f.ingested()).To(BeEmpty())
			f.Expect(f.store.Usage()).To(BeZero())
		})
	}
}

func TestAFileWithASecondNameIsCopied(t *testing.T) {
	const size = 8 << 20
	f := newFixture(t)
	f.write("disk", "disk")
	require.NoError(t, os.Truncate(f.path("disk"), size))
	tail := require.Value(os.OpenFile(f.path("disk"), os.O_WRONLY|os.O_APPEND, 0))(t)
	_, err := tail.WriteString("tail")
	require.NoError(t, errors.Join(err, tail.Close()))
	require.NoError(t, os.Symlink("disk", f.path("link")))
	want := "disk" + strings.Repeat("\x00", size-4) + "tail"
	f.Expect(f.take(t.Context(), "link")).To(Equal(contentOf(want)))
	f.Expect(f.path("link")).To(BeARegularFile(), "the link and its file stay")
	require.NoError(t, os.Link(f.path("disk"), f.path("other")))
	f.Expect(f.take(t.Context(), "disk")).To(Equal(contentOf(want)))
	f.Expect(f.store.Usage()).To(BeNumerically("<", size), "the copy has the holes")
	require.NoError(t, os.WriteFile(f.path("other"), []byte("changed"), 0o600))
	f.Expect(contentOf(f.read(contentOf(want).Digest))).To(Equal(contentOf(want)), "a write to the other name does not change the content")
	f.Expect(f.take(t.Context(), "link")).To(Equal(contentOf("changed")))
	f.Expect(f.ingested()).To(BeEmpty())
}

// The order of the names must not matter: a file that is moved has no other name any more.
func TestTheNamesOfAFileAreTakenTogether(t *testing.T) {
	for _, names := range [][]string{{"disk", "link"}, {"link", "disk"}, {"disk", "second", "link", "disk"}} {
		t.Run(strings.Join(names, " "), func(t *testing.T) {
			f := newFixture(t)
			f.write("disk", "disk")
			require.NoError(t, os.Symlink("disk", f.path("link")))
			if slices.Contains(names, "second") {
				require.NoError(t, os.Link(f.path("disk"), f.path("second")))
			}
			contents, rename := 0, f.store.rename
			f.store.rename = func(from, to string) error { contents++; return rename(from, to) }
			root := require.Value(os.OpenRoot(f.output))(t)
			defer func() { _ = root.Close() }() // nothing was written
			taken := f.store.Take(t.Context(), root, names...)
			f.Expect(taken).To(HaveLen(len(names)))
			f.Expect(taken).To(HaveEach(Taken{Content: contentOf("disk")}))
			f.Expect(contents).To(Equal(1))
			for range taken[1:] {
				f.store.Release(contentOf("disk"))
			}
			f.Expect(f.store.Remove(func(Entry) bool { return false })).Error().NotTo(HaveOccurred())
			f.Expect(f.read(contentOf("disk").Digest)).To(Equal("disk"), "one name is not released")
			f.store.Release(contentOf("disk"))
			f.Expect(f.store.Remove(func(Entry) bool { return false })).Error().NotTo(HaveOccurred())
			f.Expect(f.store.Has(contentOf("disk").Digest)).To(BeFalse())
		})
	}

	f := newFixture(t)
	f.write("disk", "disk")
	require.NoError(t, os.Symlink("disk", f.path("link")))
	f.store.rename = func(string, string) error { return unix.ENOSPC }
	root := require.Value(os.OpenRoot(f.output))(t)
	defer func() { _ = root.Close() }() // nothing was written
	taken := f.store.Take(t.Context(), root, "link", "missing", "disk")
	for i, name := range []string{"link", "missing", "disk"} {
		f.Expect(taken[i].Err).To(MatchError(ContainSubstring("file %q", name)))
	}
	f.Expect(problemOf(taken[1].Err)).To(Equal("does not exist"))
}

func TestAFileThatIsOpenForWritingGetsASecond(t *testing.T) {
	f := newFixture(t)
	f.write("disk", "disk")
	writer := require.Value(os.OpenFile(f.path("disk"), os.O_WRONLY, 0))(t)
	results := make(chan error, 1)
	try := func() { go func() { _, err := f.take(t.Context(), "disk"); results <- err }() }
	try()
	for range writerLimit/writerRetry - 1 {
		f.Eventually(f.clock.HasWaiters).Should(BeTrue())
		f.clock.Step(writerRetry)
	}
	f.Eventually(f.clock.HasWaiters).Should(BeTrue(), "the second is not over")
	f.clock.Step(writerRetry)
	f.Expect(problemOf(<-results)).To(Equal("is still being written"))
	f.Expect(f.path("disk")).To(BeARegularFile())

	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, err := f.take(ctx, "disk"); results <- err }()
	f.Eventually(f.clock.HasWaiters).Should(BeTrue())
	cancel()
	f.Expect(<-results).To(MatchError(context.Canceled))

	try()
	f.Eventually(f.clock.HasWaiters).Should(BeTrue())
	require.NoError(t, writer.Close())
	f.clock.Step(writerRetry)
	f.Expect(<-results).To(Succeed())
}

func TestAFileThatChangesWhileItIsReadIsTheBuildersFault(t *testing.T) {
	for name, change := range map[string]func(f *fixture, path string) error{
		"opened for writing": func(_ *fixture, path string) error {
			file, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
			if err == nil {
				return errors.Join(errors.New("a leased file was opened for writing"), file.Close())
			}
			return nil
		},
		"another time": func(_ *fixture, path string) error { return os.Chtimes(path, epoch, epoch) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, names := range []int{1, 2} {
				f := newFixture(t)
				f.write("disk", "disk")
				if names == 2 {
					require.NoError(t, os.Link(f.path("disk"), f.path("other")))
				}
				f.store.sync = func(file *os.File) error {
					path := f.path("disk")
					if _, err := os.Lstat(path); err != nil {
						path = filepath.Join(f.dir, "ingest", f.ingested()[0].Name())
					}
					return errors.Join(change(f, path), file.Sync())
				}
				_, err := f.take(t.Context(), "disk")
				f.Expect(problemOf(err)).To(Equal("changed while it was read"), "%d names", names)
				f.Expect(f.ingested()).To(BeEmpty())
			}
		})
	}
}

func TestACancelledTakeLeavesNothing(t *testing.T) {
	f := newFixture(t)
	f.write("disk", "disk")
	ctx, cancel := context.WithCancel(t.Context())
	flushing, hang := make(chan struct{}), make(chan struct{})
	defer close(hang)
	f.store.sync = func(*os.File) error { close(flushing); <-hang; return nil }
	go func() { <-flushing; cancel() }()
	_, err := f.take(ctx, "disk")
	f.Expect(err).To(MatchError(context.Canceled), "it does not wait for the disk")
	f.Expect(f.ingested()).To(BeEmpty())
	f.Expect(f.store.Has(contentOf("disk").Digest)).To(BeFalse())
}

func TestEqualContentIsNotLostToRemove(t *testing.T) {
	f := newFixture(t)
	store := require.Value(Open(f.dir, Options{Volatile: true, Clock: clock.RealClock{}}))(t)
	f.store = store
	done := make(chan struct{})
	var remover sync.WaitGroup
	remover.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				if _, err := store.Remove(func(Entry) bool { return false }); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 200 {
		content := f.taken("disk", "disk")
		if !store.Has(content.Digest) {
			t.Error("the content is lost")
			break
		}
		store.Release(content)
	}
	close(done)
	remover.Wait()
}
