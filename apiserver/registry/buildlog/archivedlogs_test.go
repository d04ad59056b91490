// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/jobs/podlog"
	"goldsmith.dev/goldsmith/jobs/render"
)

// cluster has one pod, whose log a test writes.
type cluster struct {
	lock       sync.Mutex
	text       string
	terminated bool
	gone       bool
	// cutAt is where every reader is cut off: with an error, or as if that were the end. Negative is nowhere.
	cutAt   int
	cleanly bool
	kubelet string // what the kubelet writes there
	more    chan struct{}
}

func (c *cluster) change(change func()) {
	c.lock.Lock()
	defer c.lock.Unlock()
	change()
	close(c.more)
	c.more = make(chan struct{})
}

func (c *cluster) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	c.lock.Lock()
	gone, terminated := c.gone, c.terminated
	c.lock.Unlock()
	if gone {
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(http.StatusNotFound)
		status := apierrors.NewNotFound(corev1.Resource("pods"), "pod").Status()
		status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
		_ = json.NewEncoder(out).Encode(status)
		return
	}
	if strings.HasSuffix(in.URL.Path, "/log") {
		c.serveLog(out, in)
		return
	}
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "pod", UID: "pod"}}
	state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	if terminated {
		state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.ContainerName, State: state}}
	out.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(out).Encode(pod)
}

// serveLog gives the lines from tailLines or sinceTime on, without their timestamps unless they are wanted.
func (c *cluster) serveLog(out http.ResponseWriter, in *http.Request) {
	query := in.URL.Query()
	follow, at := query.Get("follow") == "true", -1
	for {
		c.lock.Lock()
		text, ended, more, kubelet := c.text, c.terminated, c.more, c.kubelet
		cut := c.cutAt >= 0 && c.cutAt <= len(text)
		if cut {
			text = text[:c.cutAt]
		}
		c.lock.Unlock()
		if at < 0 {
			at = begin(text, query.Get("tailLines"), query.Get("sinceTime"))
		}
		piece := text[min(at, len(text)):]
		at += len(piece)
		if query.Get("timestamps") != "true" {
			stripped, _ := io.ReadAll(archive.StripTimestamps(strings.NewReader(piece)))
			piece = string(stripped)
		}
		_, _ = io.WriteString(out, piece)
		_ = http.NewResponseController(out).Flush()
		if cut {
			_, _ = io.WriteString(out, kubelet)
		}
		if cut && !c.cleanly {
			panic(http.ErrAbortHandler)
		}
		if cut || ended || !follow {
			return
		}
		select {
		case <-more:
		case <-in.Context().Done():
			return
		}
	}
}

func begin(text, tail, since string) int {
	lines := strings.SplitAfter(text, "\n")
	if tail != "" {
		n := 0
		_, _ = fmt.Sscan(tail, &n)
		return len(text) - len(strings.Join(lines[max(0, len(lines)-1-n):], ""))
	}
	at := 0
	for _, line := range lines {
		if from, err := time.Parse(time.RFC3339, since); err == nil && line != "" && archive.Timestamp([]byte(line)).Before(from) {
			at += len(line)
		}
	}
	return at
}

// stamped are numbered lines, one each second.
func stamped(lines int) string {
	var text strings.Builder
	for i := 1; i <= lines; i++ {
		fmt.Fprintf(&text, "%s line %d of the log\n", time.Date(2026, 3, 1, 12, 0, i, 5000, time.UTC).Format(time.RFC3339Nano), i)
	}
	return text.String()
}

func plain(text string) string {
	stripped, _ := io.ReadAll(archive.StripTimestamps(strings.NewReader(text)))
	return string(stripped)
}

// archiveFixture is a build whose log is in the pod, in an archive, or in both.
type archiveFixture struct {
	*WithT
	*cluster
	logs    *archivedLogs
	store   *archive.Store
	build   *v1alpha1.ImageBuild
	attempt *v1alpha1.BuildAttempt
	clock   *testingclock.FakePassiveClock
}

func newArchiveFixture(t *testing.T, url string) *archiveFixture {
	w := &archiveFixture{
		WithT: NewWithT(t), cluster: &cluster{cutAt: -1, more: make(chan struct{})},
		clock: testingclock.NewFakePassiveClock(time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)),
	}
	w.SetDefaultEventuallyTimeout(30 * time.Second)
	server := httptest.NewServer(w.cluster)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	var err error
	w.store, err = archive.Open(t.Context(), url, archive.Options{Clock: w.clock})
	w.Expect(err).NotTo(HaveOccurred())
	everything := func(context.Context, string, types.UID, types.UID) (bool, error) { return true, nil }
	w.logs = &archivedLogs{archive: w.store, mayRead: everything, pods: podLogs{client: kubernetes.NewForConfigOrDie(&rest.Config{Host: server.URL, QPS: -1})}}
	w.build = &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "once", UID: "once-uid"}}
	w.build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1, PodName: "pod", PodUID: "pod"}}
	w.build.Status.Phase, w.build.Status.CurrentAttempt = v1alpha1.BuildRunning, 1
	w.attempt = &w.build.Status.Attempts[0]
	return w
}

// archived stores more of the log, and seals it if it is whole then.
func (w *archiveFixture) archived(ctx context.Context, text string, seal *archive.Seal) error {
	writer, err := w.store.Writer(ctx, archivedName(w.build, w.attempt), archive.Limit{})
	if err != nil {
		return err
	}
	if err := errors.Join(writer.Write(ctx, []byte(text)), writer.Flush(ctx)); err != nil || seal == nil {
		return err
	}
	_, err = writer.Seal(ctx, *seal)
	return err
}

func (w *archiveFixture) read(ctx context.Context, options corev1.PodLogOptions) (string, error) {
	log, err := w.logs.Open(ctx, w.build, w.attempt, options)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(log)
	return string(text), errors.Join(err, log.Close())
}

var askedFor = map[string]corev1.PodLogOptions{
	"all":        {},
	"timestamps": {Timestamps: true},
	"the tail":   {TailLines: new(int64(2)), Timestamps: true},
	"since":      {SinceTime: &metav1.Time{Time: time.Date(2026, 3, 1, 12, 0, 4, 0, time.UTC)}},
	"just after": {SinceTime: &metav1.Time{Time: time.Date(2026, 3, 1, 12, 0, 4, 5001, time.UTC)}, Timestamps: true},
	"no line":    {TailLines: new(int64(0))},
}

func TestALogIsTheSameFromItsPodAndFromTheArchive(t *testing.T) {
	for name, options := range askedFor {
		t.Run(name, func(t *testing.T) {
			w := newArchiveFixture(t, "mem://")
			w.text, w.terminated, w.attempt.Outcome = stamped(7), true, v1alpha1.AttemptSucceeded
			fromPod, err := w.read(t.Context(), options)
			w.Expect(err).NotTo(HaveOccurred())
			w.Expect(w.archived(t.Context(), stamped(7), &archive.Seal{})).To(Succeed())
			w.change(func() { w.gone = true })
			for _, options.Follow = range []bool{false, true} {
				w.Expect(w.read(t.Context(), options)).To(Equal(fromPod))
			}
		})
	}
}

func TestAFollowedLogGoesOnInTheArchive(t *testing.T) {
	for name, options := range askedFor {
		for _, cleanly := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, cleanly %t", name, cleanly), func(t *testing.T) {
				w := newArchiveFixture(t, "mem://")
				first, all := stamped(6), stamped(9)
				w.text, w.cleanly = first, cleanly
				options.Follow = true
				log, err := w.logs.Open(t.Context(), w.build, w.attempt, options)
				w.Expect(err).NotTo(HaveOccurred())
				cutAt := len(first) + 10 // within a line's timestamp
				if name == "no line" {
					cutAt += 30 // what nothing was read of cannot be found again
				}
				w.change(func() { w.cutAt, w.gone, w.text = cutAt, true, all })
				w.Expect(w.archived(t.Context(), first+all[len(first):cutAt], nil)).To(Succeed())
				stored := make(chan error, 1)
				go func() { stored <- w.archived(t.Context(), all[cutAt:], &archive.Seal{}) }()
				text, err := io.ReadAll(log)
				w.Expect(err).NotTo(HaveOccurred())
				w.Expect(<-stored).To(Succeed()) // it ends after the reader, which needs no more than the seal
				want := all[begin(first, tailOf(options), sinceOf(options)):]
				if !options.Timestamps {
					want = plain(want)
				}
				w.Expect(string(text)).To(Equal(want))
			})
		}
	}
}

// The archive and a reader may lack other bytes of a log that is too long for its node.
func TestAFollowedLogGoesOnInAnArchiveWithoutItsMiddle(t *testing.T) {
	w := newArchiveFixture(t, "mem://")
	first, all := stamped(6), stamped(9)
	w.text, w.cleanly = first, true
	log, err := w.logs.Open(t.Context(), w.build, w.attempt, corev1.PodLogOptions{Follow: true})
	w.Expect(err).NotTo(HaveOccurred())
	w.change(func() { w.cutAt, w.gone = len(first), true })
	short := stamped(1) + "2026-03-01T12:00:05.000005Z [goldsmith: 60 bytes of the log were dropped because it is too long]\n" + all[len(stamped(4)):]
	w.Expect(w.archived(t.Context(), short, &archive.Seal{})).To(Succeed())
	text, err := io.ReadAll(log)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(string(text)).To(Equal(plain(all)))
}

func tailOf(options corev1.PodLogOptions) string {
	if options.TailLines == nil {
		return ""
	}
	return fmt.Sprint(*options.TailLines)
}

func sinceOf(options corev1.PodLogOptions) string {
	if options.SinceTime == nil {
		return ""
	}
	return options.SinceTime.Format(time.RFC3339Nano)
}

func TestWhatANodeSaysInThePlaceOfALogIsNone(t *testing.T) {
	for name, options := range askedFor {
		for _, options.Follow = range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, follow %t", name, options.Follow), func(t *testing.T) {
				w := newArchiveFixture(t, "mem://")
				w.text, w.terminated = stamped(7), true
				fromPod, err := w.read(t.Context(), options)
				w.Expect(err).NotTo(HaveOccurred())
				w.change(func() {
					w.cutAt, w.cleanly, w.kubelet = 0, true, "unable to retrieve container logs for containerd://0123"
				})
				w.Expect(w.archived(t.Context(), stamped(7), &archive.Seal{})).To(Succeed())
				w.Expect(w.read(t.Context(), options)).To(Equal(fromPod))
			})
		}
	}
}

func TestWhatTheKubeletWritesIntoALogIsNotRead(t *testing.T) {
	const notFound = `rpc error: code = NotFound desc = an error occurred when try to find container "abc": not found`
	all := stamped(4)
	lines := strings.SplitAfter(all, "\n")
	for at := range lines {
		for i, text := range []string{notFound, "\n" + notFound, notFound + "\n", "\n" + notFound + "\n"} {
			t.Run(fmt.Sprintf("text %d after %d lines", i, at), func(t *testing.T) {
				w := newArchiveFixture(t, "mem://")
				w.text, w.cutAt, w.cleanly, w.kubelet = all, len(strings.Join(lines[:at], "")), true, text
				w.Expect(w.archived(t.Context(), all, &archive.Seal{})).To(Succeed())
				first := all[:w.cutAt]
				if at == 0 {
					first = all // the archive's
				}
				for timestamps, want := range map[bool]string{true: first, false: plain(first)} {
					got, err := w.read(t.Context(), corev1.PodLogOptions{Timestamps: timestamps})
					w.Expect(got).To(Equal(want))
					if at > 0 {
						w.Expect(err).To(MatchError(podlog.ErrKubelet))
					}
				}
				w.Expect(w.read(t.Context(), corev1.PodLogOptions{Follow: true})).To(Equal(plain(all)))
				w.Expect(w.read(t.Context(), corev1.PodLogOptions{Follow: true, Timestamps: true})).To(Equal(all))

				got, err := w.readWithoutArchive(t.Context(), v1alpha1.ImageBuildLogOptions{LimitBytes: new(int64(30))})
				if at == 0 {
					w.Expect(apierrors.IsGone(err)).To(BeTrue(), "%v", err)
				} else {
					limit := min(30, len(plain(first)))
					w.Expect(got).To(Equal(plain(first)[:limit]))
					stamped, err := w.readWithoutArchive(t.Context(), v1alpha1.ImageBuildLogOptions{LimitBytes: new(int64(30)), Timestamps: true})
					w.Expect(err).NotTo(HaveOccurred())
					w.Expect(plain(stamped)).To(Equal(plain(first)[:limit]), "timestamps do not count")
				}
			})
		}
	}
}

// readWithoutArchive reads as the API does.
func (w *archiveFixture) readWithoutArchive(ctx context.Context, options v1alpha1.ImageBuildLogOptions) (string, error) {
	answer := &logResponse{logs: w.logs.pods, build: w.build, options: &options}
	log, _, _, err := answer.InputStream(ctx, "", "")
	if err != nil {
		return "", err
	}
	text, _ := io.ReadAll(log) // the API drops an error after the first line
	return string(text), log.Close()
}

func TestAFollowedLogEndsWithItsContainer(t *testing.T) {
	w := newArchiveFixture(t, "mem://")
	w.text = stamped(2)
	log, err := w.logs.Open(t.Context(), w.build, w.attempt, corev1.PodLogOptions{Follow: true})
	w.Expect(err).NotTo(HaveOccurred())
	w.change(func() { w.text, w.terminated = stamped(3), true })
	text, err := io.ReadAll(log)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(string(text)).To(Equal(plain(stamped(3))))
}

func TestWhatIsSaidOfALogThatCannotBeRead(t *testing.T) {
	w := newArchiveFixture(t, "mem://")
	w.gone, w.attempt.Outcome = true, v1alpha1.AttemptFailed
	_, err := w.read(t.Context(), corev1.PodLogOptions{})
	w.Expect(err).To(MatchError(ErrGone))

	w.Expect(w.archived(t.Context(), stamped(3), &archive.Seal{InPart: true, Why: "its node was lost"})).To(Succeed())
	for _, w.attempt.Outcome = range []v1alpha1.AttemptOutcome{v1alpha1.AttemptFailed, ""} { // the archive is asked first, and last
		said := &warnings{}
		w.Expect(w.read(warning.WithWarningRecorder(t.Context(), said), corev1.PodLogOptions{})).To(Equal(plain(stamped(3))))
		w.Expect(*said).To(ConsistOf("the log of attempt 1 is incomplete: its node was lost"))
	}
	w.Expect(w.store.PutBuild(t.Context(), archive.Build{
		Namespace: "default", Name: "once", UID: w.build.UID, Finished: new(w.clock.Now()), Retention: new(time.Hour),
	})).To(Succeed())
	w.clock.SetTime(w.clock.Now().Add(2 * time.Hour))
	_, err = w.store.Sweep(t.Context(), nil)
	w.Expect(err).NotTo(HaveOccurred())
	_, err = w.read(t.Context(), corev1.PodLogOptions{})
	var expired *expiredError
	w.Expect(errors.As(err, &expired)).To(BeTrue(), "%v", err)
	said := logError(err, w.build, w.attempt)
	w.Expect(apierrors.IsGone(said)).To(BeTrue())
	w.Expect(said).To(MatchError(ContainSubstring("was deleted at 2026-03-01T15:00:00Z, because history.logRetention is 1h0m0s")))
}

func TestALogThatItsBuilderReplacedIsGoneWithTheReason(t *testing.T) {
	w := newArchiveFixture(t, "mem://")
	const why = "the builder in pod x removed its log"
	w.Expect(w.archived(t.Context(), "", &archive.Seal{InPart: true, Why: why, Gone: true})).To(Succeed())
	w.gone = true
	for _, w.attempt.Outcome = range []v1alpha1.AttemptOutcome{v1alpha1.AttemptFailed, ""} { // the archive is asked first, and last
		_, err := w.read(t.Context(), corev1.PodLogOptions{})
		w.Expect(err).To(MatchError(ErrGone))
		said := logError(err, w.build, w.attempt)
		w.Expect(apierrors.IsGone(said)).To(BeTrue())
		w.Expect(said).To(MatchError(ContainSubstring(why)))
	}
}

func TestALogWhoseArchiveIsDamagedIsReadFromItsPod(t *testing.T) {
	for what, damage := range map[string]func(string) error{
		"truncated": func(chunk string) error { return os.Truncate(chunk, 20) }, "deleted": os.Remove,
	} {
		directory := t.TempDir()
		w := newArchiveFixture(t, "file://"+directory)
		w.text, w.terminated, w.attempt.Outcome = stamped(3), true, v1alpha1.AttemptFailed
		w.Expect(w.archived(t.Context(), stamped(3), &archive.Seal{})).To(Succeed())
		chunks, err := filepath.Glob(filepath.Join(directory, "v1/*/*/*/*.zst"))
		w.Expect(err).NotTo(HaveOccurred())
		w.Expect(chunks).To(HaveLen(1), what)
		w.Expect(damage(chunks[0])).To(Succeed())
		for _, follow := range []bool{false, true} {
			w.change(func() { w.gone = false })
			w.Expect(w.read(t.Context(), corev1.PodLogOptions{Follow: follow})).To(Equal(plain(stamped(3))), what)
			w.change(func() { w.gone = true })
			text, err := w.read(t.Context(), corev1.PodLogOptions{Follow: follow})
			w.Expect(err).To(MatchError(archive.ErrDamaged), what)
			w.Expect(text).To(MatchRegexp(`^\[goldsmith: \d+ bytes of the log are missing here, because the archive has lost or damaged them\]\n$`), what)
		}
	}
}

type warnings []string

func (w *warnings) AddWarning(_, text string) { *w = append(*w, text) }

func TestAnUnavailableArchiveDoesNotReportALostLog(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "logs")
	w := newArchiveFixture(t, "file://"+directory)
	w.text, w.terminated, w.attempt.Outcome = stamped(3), true, v1alpha1.AttemptSucceeded
	w.Expect(os.RemoveAll(directory)).To(Succeed())
	w.Expect(os.WriteFile(directory, nil, 0o600)).To(Succeed())
	w.Expect(w.read(t.Context(), corev1.PodLogOptions{})).To(Equal(plain(stamped(3))), "the pod has it")
	w.change(func() { w.gone = true })
	_, err := w.read(t.Context(), corev1.PodLogOptions{})
	said := logError(err, w.build, w.attempt)
	w.Expect(apierrors.IsServiceUnavailable(said)).To(BeTrue(), "%v", said)
	seconds, suggested := apierrors.SuggestsClientDelay(said)
	w.Expect(suggested).To(BeTrue())
	w.Expect(seconds).To(BeNumerically(">", 0))
}

func TestTheLogOfABuildThatWasDeletedIsFoundByItsUID(t *testing.T) {
	w := newArchiveFixture(t, "mem://")
	w.Expect(w.archived(t.Context(), stamped(3), &archive.Seal{})).To(Succeed())
	w.Expect(w.store.PutBuild(t.Context(), archive.Build{Namespace: "default", Name: "once", UID: w.build.UID})).To(Succeed())
	rest := &reader{builds: &storedBuild{}, logs: w.logs, archived: w.logs}
	for name, c := range map[string]struct {
		name string
		uid  types.UID
		want bool
	}{
		"the one": {"once", w.build.UID, true}, "another name": {"twice", w.build.UID, false}, "another uid": {"once", "other", false},
		"none": {"once", "", false}, "no uid at all": {"once", "..", false},
	} {
		build, err := rest.find(ctxIn("default"), c.name, c.uid)
		if !c.want {
			w.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%s: %v", name, err)
			continue
		}
		w.Expect(err).NotTo(HaveOccurred(), name)
		w.build, w.attempt = build, &build.Status.Attempts[0]
		w.Expect(w.read(t.Context(), corev1.PodLogOptions{})).To(Equal(plain(stamped(3))))
	}
	_, err := rest.find(ctxIn("elsewhere"), "once", "once-uid")
	w.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)

	// A legal hold keeps a log that was already marked as expired.
	record := archive.Build{Namespace: "default", Name: "once", UID: w.build.UID, Finished: new(w.clock.Now()), Expired: new(w.clock.Now()), Held: true}
	w.Expect(w.store.PutBuild(t.Context(), record)).To(Succeed())
	w.build, err = rest.find(ctxIn("default"), "once", w.build.UID)
	w.Expect(err).NotTo(HaveOccurred())
	w.Expect(w.read(t.Context(), corev1.PodLogOptions{})).To(Equal(plain(stamped(3))))
	record.Held = false
	w.Expect(w.store.PutBuild(t.Context(), record)).To(Succeed())
	w.Expect(w.store.Sweep(t.Context(), nil)).To(Equal(1))
	_, err = rest.find(ctxIn("default"), "once", w.build.UID)
	w.Expect(apierrors.IsGone(err)).To(BeTrue(), "%v", err)
}

func TestADamagedRecordIsNamed(t *testing.T) {
	directory := t.TempDir()
	w := newArchiveFixture(t, "file://"+directory)
	w.Expect(w.archived(t.Context(), stamped(3), &archive.Seal{})).To(Succeed())
	w.Expect(os.WriteFile(filepath.Join(directory, "v1/default/once-uid/build.json"), []byte(`{"namespace":`), 0o600)).To(Succeed())
	_, err := (&reader{builds: &storedBuild{}, logs: w.logs, archived: w.logs}).find(ctxIn("default"), "once", w.build.UID)
	w.Expect(apierrors.IsInternalError(err)).To(BeTrue(), "%v", err)
	w.Expect(err).To(MatchError(And(ContainSubstring(`"v1/default/once-uid/build.json": object is damaged`), ContainSubstring("restore the archive"))))

	w.attempt.Outcome = v1alpha1.AttemptSucceeded
	w.Expect(w.read(t.Context(), corev1.PodLogOptions{})).To(Equal(plain(stamped(3))), "the log of a build that exists")
	w.Expect(os.RemoveAll(filepath.Join(directory, "v1/default/once-uid/1-pod"))).To(Succeed())
	w.change(func() { w.gone = true })
	_, err = w.read(t.Context(), corev1.PodLogOptions{})
	w.Expect(err).To(MatchError(ErrGone))
}

func ctxIn(namespace string) context.Context {
	return apirequest.WithNamespace(context.Background(), namespace)
}
