// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/controllers/internal/apitest"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
)

// linesFrom are lines of a log, numbered and each with a time of its own.
func linesFrom(first, last int) string {
	var text strings.Builder
	for i := first; i <= last; i++ {
		fmt.Fprintf(&text, "2026-03-01T12:00:00.%09dZ line %d\n", i, i)
	}
	return text.String()
}

func TestALogIsArchivedWhileItIsWrittenAndTheBuildSaysSoAtItsEnd(t *testing.T) {
	w := newFixture(t, "mem://")
	created := require.Value(w.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}))(w.t)
	w.run()
	build, log := w.start("once")
	log.write(linesFrom(1, 10))
	w.Eventually(func() string { return w.archived(build) }).Should(Equal(linesFrom(1, 10)), "before its end")
	log.write(linesFrom(11, 20) + "2026-03-01T12:00:01Z a line without its end")
	w.Eventually(func() string { return w.archived(build) }).Should(HaveSuffix("without its end"))
	w.Expect(w.condition("once")()).To(BeEmpty())
	w.end("once")
	w.finish("once", v1alpha1.BuildSucceeded)
	w.Eventually(w.condition("once")).Should(Equal("True/Archived"))
	w.Expect(w.archived(build)).To(Equal(log.String()))
	w.Eventually(w.record(build)).Should(And(HaveField("Finished", HaveValue(BeTemporally("==", w.clock.Now()))), HaveField("Succeeded", true)))
	w.Expect(w.record(build)()).To(HaveField("NamespaceUID", created.UID))
}

func TestABuildWhoseLogsAreSettledIsNotRemembered(t *testing.T) {
	w := newFixture(t, "mem://")
	build, _ := w.start("once")
	w.finish("once", v1alpha1.BuildSucceeded)
	w.change("once", func(build *v1alpha1.ImageBuild) {
		build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildLogArchived, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonLogArchived}}
	})
	build = require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(t.Context(), build.Name, metav1.GetOptions{}))(w.t)
	r := w.reconciler()
	w.Expect(r.streams.storeRecord(t.Context(), archive.Build{Namespace: namespace, Name: build.Name, UID: build.UID})).To(Succeed())
	for range 2 {
		w.Expect(r.reconcile(t.Context(), build)).To(Succeed())
		w.Expect(r.streams.known).To(BeEmpty())
		w.Expect(w.record(build)()).To(HaveField("Succeeded", true))
	}
}

func TestALogThatBreaksOffGoesOnWithoutAGapOrARepeat(t *testing.T) {
	w := newFixture(t, "mem://")
	random := rand.New(rand.NewPCG(1, 2))
	stop := w.run()
	build, log := w.start("once")
	for i := range 20 {
		log.change(func() { log.breakAt = len(log.text) + 1 + random.IntN(400) })
		log.write(linesFrom(i*10+1, i*10+10))
		if i%5 == 4 { // another process takes over
			stop()
			stop = w.run()
		}
	}
	w.end("once")
	w.finish("once", v1alpha1.BuildSucceeded)
	w.Eventually(w.condition("once")).Should(Equal("True/Archived"))
	w.Expect(w.archived(build)).To(Equal(linesFrom(1, 200)))
}

func TestTheLogsOfAllContainersAreArchivedWithoutAGapOrARepeat(t *testing.T) {
	waits, runs := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	for name, killed := range map[string]bool{"by one process": false, "by a process for each step": true} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t, "mem://")
			build, builder := w.start("once")
			fetcher, publisher := w.addLog("once-pod", render.FetcherName), w.addLog("once-pod", render.PublisherName)
			want, stop := "", w.run()
			archived := func(step string) {
				t.Helper()
				w.Eventually(func() string { return w.archived(build) }).Should(Equal(want), step)
				if killed {
					stop()
					stop = w.run()
				}
			}
			write := func(log *podLog, first, last int) {
				want += linesFrom(first, last)
				log.write(linesFrom(first, last))
			}
			end := func(log *podLog) { log.change(func() { log.ended = true }) }

			w.setContainers(runs, waits, waits)
			write(fetcher, 1, 3)
			archived("fetching")
			write(fetcher, 4, 6)
			end(fetcher)
			w.setContainers(ended, waits, waits)
			archived("fetched")
			w.setContainers(ended, runs, waits)
			write(builder, 7, 9)
			archived("building")
			write(builder, 10, 12)
			end(builder)
			w.setContainers(ended, ended, waits)
			archived("built")
			w.Expect(w.condition("once")()).To(BeEmpty())
			w.setContainers(ended, ended, runs)
			write(publisher, 13, 15)
			archived("publishing")
			end(publisher)
			w.setContainers(ended, ended, ended)
			w.finish("once", v1alpha1.BuildSucceeded)
			w.Eventually(w.condition("once")).Should(Equal("True/Archived"))
			w.Expect(w.archived(build)).To(Equal(want))
		})
	}
}

func TestAPublisherThatNeverStartsIsNoLostLog(t *testing.T) {
	w := newFixture(t, "mem://")
	w.run()
	build, builder := w.start("once")
	fetcher := w.addLog("once-pod", render.FetcherName)
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}}
	builder.write(linesFrom(1, 3))
	builder.change(func() { builder.ended = true })
	fetcher.change(func() { fetcher.ended = true })
	w.setContainers(ended, ended, waits)
	w.Eventually(func() string { return w.archived(build) }).Should(Equal(linesFrom(1, 3)))
	pods := w.kube.CoreV1().Pods(namespace)
	pod := require.Value(pods.Get(t.Context(), "once-pod", metav1.GetOptions{}))(w.t)
	pod.Status.Phase = corev1.PodFailed // its deadline has passed
	require.Value(pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{}))(w.t)
	w.finish("once", v1alpha1.BuildFailed)
	w.Eventually(w.condition("once")).Should(Equal("True/Archived"))
	w.Expect(w.archived(build)).To(Equal(linesFrom(1, 3)))
}

func TestWhatIsReadWhenTheProcessEndsIsStored(t *testing.T) {
	w := newFixture(t, "mem://")
	stop := w.run()
	build, log := w.start("once")
	log.write(linesFrom(1, 1))
	w.Eventually(func() string { return w.archived(build) }).ShouldNot(BeEmpty())
	for i := 2; i < 50; i++ {
		log.write(linesFrom(i, i))
	}
	stop()
	log.write(linesFrom(50, 60))
	w.deletePod("once")
	w.run()
	w.finish("once", v1alpha1.BuildFailed)
	w.Eventually(w.condition("once")).Should(Equal("True/ArchivedInPart"))
	w.Expect(linesFrom(1, 60)).To(HavePrefix(w.archived(build)))
}

func TestANodeThatKeepsOnlyTheEndOfALog(t *testing.T) {
	for name, c := range map[string]struct {
		keptFrom string // what the node's log begins with once it is read again
		want     string
	}{
		"has what was read last":               {"line 40\n", "True/Archived"},
		"does not have it":                     {"line 60\n", "True/ArchivedInPart"},
		"has the beginning of another content": {"line 0\n", "True/Archived"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t, "mem://")
			stop := w.run()
			build, log := w.start("once")
			log.write(linesFrom(0, 50))
			w.Eventually(func() string { return w.archived(build) }).Should(Equal(linesFrom(0, 50)))
			stop()
			log.write(linesFrom(51, 100))
			log.change(func() { log.from = strings.Index(string(log.text), c.keptFrom) + len(c.keptFrom) })
			w.run()
			w.end("once")
			w.finish("once", v1alpha1.BuildSucceeded)
			w.Eventually(w.condition("once")).Should(Equal(c.want))
			text := w.archived(build)
			if c.want == "True/Archived" {
				w.Expect(text).To(Equal(linesFrom(0, 100)))
				return
			}
			before, after, found := strings.Cut(text, "[goldsmith: a part of the log is missing here: the node deleted it before it was read]\n")
			w.Expect(found).To(BeTrue(), text)
			w.Expect(before).To(HavePrefix(linesFrom(0, 50)))
			w.Expect(after).To(Equal(linesFrom(61, 100)))
		})
	}
}

func TestANodeThatKeepsBothEndsOfALog(t *testing.T) {
	const notice = "2026-03-01T12:00:00.000000061Z [goldsmith: 500 bytes of the log were dropped because it is too long]\n"
	for name, c := range map[string]struct {
		stored, missing string // before the log lost its middle; why it is incomplete
		want            string
	}{
		"read before":      {linesFrom(0, 70), "", linesFrom(0, 100)},
		"read in part":     {linesFrom(0, 50), "the node deleted a part of it before it was read", linesFrom(0, 50) + "GAP\n" + linesFrom(61, 100)},
		"not read at all":  {"", "500 bytes of its middle were dropped because it is too long", linesFrom(0, 10) + notice + linesFrom(61, 100)},
		"read where it is": {linesFrom(0, 5), "500 bytes of its middle were dropped because it is too long", linesFrom(0, 10) + notice + linesFrom(61, 100)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t, "mem://")
			stop := w.run()
			build, log := w.start("once")
			log.write(c.stored)
			w.Eventually(func() string { return w.archived(build) }).Should(Equal(c.stored))
			stop()
			log.change(func() { log.text = []byte(linesFrom(0, 10) + notice + linesFrom(61, 100)) })
			w.run()
			w.end("once")
			w.finish("once", v1alpha1.BuildSucceeded)
			reason, message := "Archived", ""
			if c.missing != "" {
				reason, message = "ArchivedInPart", "attempt 1: "+c.missing
			}
			w.Eventually(w.condition("once")).Should(Equal("True/" + reason))
			stored := require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(t.Context(), "once", metav1.GetOptions{}))(w.t)
			w.Expect(meta.FindStatusCondition(stored.Status.Conditions, v1alpha1.BuildLogArchived).Message).To(Equal(message))
			gap := regexp.MustCompile(`\S+ \[goldsmith: a part of the log is missing here: [^\]]+\]`)
			w.Expect(gap.ReplaceAllString(w.archived(build), "GAP")).To(Equal(c.want))
		})
	}
}

func TestALogThatIsCutIsNotWhole(t *testing.T) {
	w := newFixture(t, "mem://")
	w.run()
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "debian"}}
	image.Spec.History = &v1alpha1.HistoryLimits{LogMaxBytes: &v1alpha1.Quantity{Text: "1Ki"}}
	image = require.Value(w.client.ImagesV1alpha1().Images(namespace).Create(t.Context(), image, metav1.CreateOptions{}))(w.t)
	build, log := w.start("once", func(build *v1alpha1.ImageBuild) {
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian", UID: uid(image)}
	})
	log.write(linesFrom(0, 999))
	w.end("once")
	w.finish("once", v1alpha1.BuildSucceeded)
	w.Eventually(w.condition("once")).Should(Equal("True/ArchivedInPart"))
	stored := require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(t.Context(), "once", metav1.GetOptions{}))(w.t)
	found := regexp.MustCompile(`\[goldsmith: (\d+) bytes`).FindStringSubmatch(w.archived(build))
	w.Expect(found).To(HaveLen(2))
	w.Expect(meta.FindStatusCondition(stored.Status.Conditions, v1alpha1.BuildLogArchived).Message).To(
		Equal("attempt 1: " + found[1] + " bytes of its middle were dropped because of history.logMaxBytes"))
}

func TestAPodThatIsGoneOrLost(t *testing.T) {
	for name, lose := range map[string]func(w *fixture, log *podLog){
		"deleted": func(w *fixture, log *podLog) { w.deletePod("once"); log.change(func() { log.ended = true }) },
		"deleted, and cut off": func(w *fixture, log *podLog) {
			w.deletePod("once")
			log.change(func() { log.breakAt = len(log.text) + 1 })
			log.write("?\n")
		},
		"silent": func(_ *fixture, log *podLog) { log.change(func() { log.silent = true }) },
		"not to be reached": func(_ *fixture, log *podLog) {
			log.change(func() { log.failing, log.breakAt = true, len(log.text)+1 })
			log.write("?\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t, "mem://")
			w.patience = soon
			w.run()
			build, log := w.start("once")
			log.write(linesFrom(1, 10))
			w.Eventually(func() string { return w.archived(build) }).Should(Equal(linesFrom(1, 10)))
			lose(w, log)
			w.finish("once", v1alpha1.BuildFailed)
			w.Eventually(func() string {
				w.clock.SetTime(w.clock.Now().Add(time.Second))
				return w.condition("once")()
			}).Should(Equal("True/ArchivedInPart"))
			w.Expect(strings.TrimRight(w.archived(build), "?")).To(Equal(linesFrom(1, 10)))
		})
	}
}

func TestWhatTheKubeletWritesIntoALogIsNotArchived(t *testing.T) {
	const notFound = `rpc error: code = NotFound desc = an error occurred when try to find container "abc": not found`
	all := linesFrom(1, 3)
	w := newFixture(t, "mem://")
	w.run()
	for what, c := range map[string]struct {
		before func(build string)
		forAll bool
		want   string
	}{
		"an ended container": {w.end, false, "True/Archived"},
		"a removed log":      {w.end, true, "True/ArchivedInPart"},
		"a deleted pod":      {w.deletePod, false, "True/ArchivedInPart"},
	} {
		for lines := range 4 {
			for i, text := range []string{notFound, "\n" + notFound, notFound + "\n", "\n" + notFound + "\n"} {
				what := fmt.Sprintf("%s, text %d after %d lines", what, i, lines)
				name := strings.NewReplacer(" ", "-", ",", "").Replace(what)
				before := linesFrom(1, lines)
				build, log := w.start(name)
				log.change(func() {
					log.text = []byte(all)
					log.cut = &cut{at: len(before), text: text, before: sync.OnceFunc(func() { c.before(name) }), forAll: c.forAll}
				})
				w.finish(name, v1alpha1.BuildFailed)
				w.Eventually(w.condition(name)).Should(Equal(c.want), what)
				if c.want == "True/Archived" {
					before = all
				}
				w.Expect(w.archived(build)).To(Equal(before), what)
			}
		}
	}
}

func TestALogThatIsSilentToAnotherProcessIsGivenUp(t *testing.T) {
	w := newFixture(t, "mem://")
	w.patience = soon
	stop := w.run()
	build, log := w.start("once")
	log.write(linesFrom(1, 10))
	w.Eventually(func() string { return w.archived(build) }).Should(Equal(linesFrom(1, 10)))
	stop()
	log.change(func() { log.silent = true })
	w.run()
	w.Eventually(func() int { return log.readersSoFar() }).Should(Equal(2))
	w.finish("once", v1alpha1.BuildFailed)
	w.Eventually(w.condition("once")).Should(Equal("True/ArchivedInPart"))
	w.Expect(w.archived(build)).To(Equal(linesFrom(1, 10)))
}

func TestALogThatItsBuilderReplacedIsNotWaitedFor(t *testing.T) {
	const why = "the builder in pod x replaced its log"
	for name, lines := range map[string]int{"before the archive has a line": 0, "after ten lines": 10} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t, "mem://")
			w.patience = time.Hour
			build, log := w.start("once")
			log.write(linesFrom(1, lines))
			stop := w.run()
			w.Eventually(func() string { return w.archived(build) }).Should(Equal(linesFrom(1, lines)))
			stop()
			log.change(func() { log.gone = why })
			w.end("once")
			w.finish("once", v1alpha1.BuildFailed)
			w.run()
			w.Eventually(w.condition("once")).Should(Equal("True/ArchivedInPart"))
			summary := require.Value(w.archive.Summary(t.Context(), key(build, &build.Status.Attempts[0])))(w.t)
			w.Expect(summary).To(HaveValue(And(HaveField("Why", why), HaveField("Gone", lines == 0))))
			w.Expect(w.archived(build)).To(Equal(linesFrom(1, lines)))
		})
	}
}

func TestADamagedArchiveIsReportedAndWrittenAgainFromThePod(t *testing.T) {
	directory := t.TempDir()
	w := newFixture(t, "file://"+directory)
	w.run()
	build, log := w.start("once")
	log.write(linesFrom(1, 60))
	w.end("once")
	w.finish("once", v1alpha1.BuildFailed)
	w.Eventually(w.condition("once")).Should(Equal("True/Archived"))
	verifier := w.verifier()
	file := func(pattern string) string {
		found := require.Value(filepath.Glob(filepath.Join(directory, "v1/*/*/*", pattern)))(w.t)
		w.Expect(found).To(HaveLen(1), pattern)
		return found[0]
	}
	chunk := file("*.zst")
	content := require.Value(os.ReadFile(chunk))(w.t)
	damages := map[string]func(){
		"a flipped bit": func() {
			damaged := slices.Clone(content)
			damaged[len(damaged)/2] ^= 1
			w.Expect(os.WriteFile(chunk, damaged, 0o600)).To(Succeed())
		},
		"a truncated chunk": func() { w.Expect(os.Truncate(chunk, 9)).To(Succeed()) },
		"a deleted chunk":   func() { w.Expect(os.Remove(chunk)).To(Succeed()) },
		"a deleted log":     func() { w.Expect(os.RemoveAll(filepath.Dir(chunk))).To(Succeed()) },
		"a truncated seal":  func() { w.Expect(os.Truncate(file("seal.json"), 9)).To(Succeed()) },
		"a truncated seal and a truncated record": func() {
			w.Expect(os.Truncate(file("seal.json"), 9)).To(Succeed())
			w.Expect(os.Truncate(filepath.Join(filepath.Dir(filepath.Dir(chunk)), "build.json"), 9)).To(Succeed())
		},
	}
	for what, damage := range damages {
		damage()
		versions := w.conditions("once")
		verifier.verify(t.Context())
		w.Expect(versions()).To(Equal([]string{"True/Archived", "False/LogDamaged", "True/Archived"}), what)
		w.Expect(w.archived(build)).To(Equal(linesFrom(1, 60)), what)
	}
	w.Expect(os.Truncate(filepath.Join(filepath.Dir(filepath.Dir(chunk)), "build.json"), 9)).To(Succeed())
	verifier.verify(t.Context())
	w.Expect(w.record(build)()).To(HaveField("Name", "once"))

	damages["a flipped bit"]()
	w.deletePod("once")
	w.Eventually(func() error {
		return w.cache.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "once-pod"}, &corev1.Pod{})
	}).ShouldNot(Succeed())
	w.change("once", func(build *v1alpha1.ImageBuild) { build.Status.Conditions[0].Reason = v1alpha1.ReasonLogDamaged }) // so that it is due
	w.Eventually(func() string { verifier.verify(t.Context()); return w.condition("once")() }).Should(Equal("False/LogDamaged"))
	w.Expect(os.WriteFile(chunk, content, 0o600)).To(Succeed())
	w.Eventually(func() string { verifier.verify(t.Context()); return w.condition("once")() }).Should(Equal("True/Archived"))
}

func TestADamagedLogThatIsNotSealedIsWrittenAgainFromThePodOrSealedWithoutThePart(t *testing.T) {
	for _, test := range []struct {
		damage string
		pod    bool
		found  int // the number of chunks of which one is damaged
		want   string
	}{
		{"flipped", true, 1, "True/Archived"},
		{"flipped", false, 1, "False/LogDamaged"},
		{"flipped", true, 2, "True/Archived"},
		{"deleted", true, 2, "True/Archived"},
		{"deleted", false, 2, "False/LogDamaged"},
		{"deleted last", true, 2, "True/Archived"},
		{"deleted last", false, 2, "True/ArchivedInPart"},
	} {
		t.Run(fmt.Sprintf("%s, pod %t, %d chunks", test.damage, test.pod, test.found), func(t *testing.T) {
			directory := t.TempDir()
			w := newFixture(t, "file://"+directory)
			build, log := w.start("once")
			name := archive.Attempt{Namespace: namespace, Build: build.UID, Number: 1, Pod: build.Status.Attempts[0].PodUID}
			killed := require.Value(w.archive.Writer(t.Context(), name, archive.Limit{}))(w.t)
			for i := range test.found {
				lines := linesFrom(i*20+1, i*20+20)
				log.write(lines)
				w.Expect(killed.Write(t.Context(), []byte(lines))).To(Succeed())
				w.Expect(killed.Flush(t.Context())).To(Succeed())
			}
			chunks := require.Value(filepath.Glob(filepath.Join(directory, "v1/*/*/*/*.zst")))(w.t)
			w.Expect(chunks).To(HaveLen(test.found))
			switch test.damage {
			case "flipped":
				w.Expect(os.WriteFile(chunks[0], []byte("no chunk"), 0o600)).To(Succeed())
			case "deleted last":
				w.Expect(os.Remove(chunks[test.found-1])).To(Succeed())
			default:
				w.Expect(os.Remove(chunks[0])).To(Succeed())
			}
			log.write(linesFrom(41, 60))
			if w.end("once"); !test.pod {
				w.deletePod("once")
			}
			w.finish("once", v1alpha1.BuildFailed)
			w.run()
			w.Eventually(w.condition("once")).Should(Equal(test.want))
			if test.pod {
				w.Expect(w.archived(build)).To(Equal(log.String()))
				return
			}
			reader := require.Value(w.archive.Reader(t.Context(), name, archive.Position{}))(w.t)
			text, err := io.ReadAll(reader)
			if test.damage == "deleted last" { // nobody knows that there was one
				w.Expect(err).NotTo(HaveOccurred())
				w.Expect(string(text)).To(Equal(linesFrom(1, 20)))
				w.Expect(reader.Summary().Why).To(Equal(gone))
				return
			}
			w.Expect(err).To(MatchError(archive.ErrDamaged))
			w.Expect(string(text)).To(And(MatchRegexp(`bytes of the log are missing here`), HaveSuffix(linesFrom(21, 20*test.found))))
		})
	}
}

func TestALogIsArchivedAgainBesideALogThatIsLost(t *testing.T) {
	directory := t.TempDir()
	w := newFixture(t, "file://"+directory)
	build, log := w.start("once", func(build *v1alpha1.ImageBuild) {
		now := build.Status.Attempts[0]
		before := now
		before.PodName, before.PodUID, before.Outcome, now.Number = "deleted", "deleted", v1alpha1.AttemptFailed, 2
		build.Status.Attempts, build.Status.CurrentAttempt = []v1alpha1.BuildAttempt{before, now}, 2
	})
	first := require.Value(w.archive.Writer(t.Context(), key(build, &build.Status.Attempts[0]), archive.Limit{}))(w.t)
	w.Expect(first.Write(t.Context(), []byte(linesFrom(1, 9)))).To(Succeed())
	require.Value(first.Seal(t.Context(), archive.Seal{}))(w.t)
	log.write(linesFrom(10, 60))
	w.run()
	w.end("once")
	w.finish("once", v1alpha1.BuildFailed)
	w.Eventually(w.condition("once")).Should(Equal("True/Archived"))
	chunks := require.Value(filepath.Glob(filepath.Join(directory, "v1/*/*/*/*.zst")))(w.t)
	w.Expect(chunks).To(HaveLen(2))
	for _, chunk := range chunks {
		w.Expect(os.Truncate(chunk, 20)).To(Succeed())
	}
	verifier := w.verifier()
	w.Eventually(func() string { verifier.verify(t.Context()); return w.condition("once")() }).Should(Equal("False/LogDamaged")) // once the cache has what the API has
	second := require.Value(w.archive.Reader(t.Context(), key(build, &build.Status.Attempts[1]), archive.Position{}))(w.t)
	text := require.Value(io.ReadAll(second))(w.t)
	w.Expect(string(text)).To(Equal(linesFrom(10, 60)))
}

func TestAnUnavailableArchiveHoldsNothingUp(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "logs")
	w := newFixture(t, "file://"+directory)
	w.Expect(os.RemoveAll(directory)).To(Succeed())
	w.Expect(os.WriteFile(directory, []byte("in the way"), 0o600)).To(Succeed())
	w.run()
	build, log := w.start("once")
	log.write(linesFrom(1, 100))
	w.end("once")
	w.finish("once", v1alpha1.BuildSucceeded)
	w.Eventually(w.condition("once")).Should(Equal("False/ArchiveUnavailable"))
	stored := require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(t.Context(), "once", metav1.GetOptions{}))(w.t)
	w.Expect(meta.FindStatusCondition(stored.Status.Conditions, v1alpha1.BuildLogArchived).Message).To(ContainSubstring("not a directory"))

	w.Expect(os.Remove(directory)).To(Succeed())
	w.Eventually(w.condition("once")).Should(Equal("True/Archived"))
	w.Expect(w.archived(build)).To(Equal(linesFrom(1, 100)))
}

func TestABuildWithoutALogSaysSo(t *testing.T) {
	w := newFixture(t, "mem://")
	w.run()
	build, _ := w.start("once", func(build *v1alpha1.ImageBuild) {
		build.Status.Attempts[0].PodName, build.Status.Attempts[0].PodUID = "", ""
	})
	w.finish("once", v1alpha1.BuildFailed)
	w.Eventually(w.condition("once")).Should(Equal("True/NoLog"))
	_, err := w.record(build)()
	w.Expect(err).To(MatchError(archive.ErrNotFound))
}

func TestTheJobOfACancelledBuildGoesOnceItsLogIsArchived(t *testing.T) {
	w := newFixture(t, "mem://")
	deleted := func(name string) bool {
		return w.stored.Calls("controller").Has(apitest.Call{Verb: "delete", Group: batchv1.GroupName, Resource: "jobs", Name: name + "-job"})
	}
	w.run()
	for name, phase := range map[string]v1alpha1.BuildPhase{"cancelled": v1alpha1.BuildCancelled, "failed": v1alpha1.BuildFailed} {
		_, log := w.start(name)
		log.write(linesFrom(1, 3))
		w.finish(name, phase) // before its log has ended
		w.Expect(deleted(name)).To(BeFalse())
		w.end(name)
		w.Eventually(w.condition(name)).Should(Equal("True/Archived"))
	}
	w.Eventually(func() bool { return deleted("cancelled") }).Should(BeTrue())
	w.Expect(deleted("failed")).To(BeFalse())
}

func TestTheRecordFollowsWhatTheImageSays(t *testing.T) {
	w := newFixture(t, "mem://")
	stop := w.run()
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "debian"}}
	images := w.client.ImagesV1alpha1().Images(namespace)
	image = require.Value(images.Create(t.Context(), image, metav1.CreateOptions{}))(w.t)
	build, log := w.start("debian-1", func(build *v1alpha1.ImageBuild) {
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian", UID: uid(image)}
	})
	log.write(linesFrom(1, 1))
	w.end("debian-1")
	w.finish("debian-1", v1alpha1.BuildSucceeded)
	w.Eventually(w.condition("debian-1")).Should(Equal("True/Archived"))
	w.Expect(w.record(build)()).To(And(HaveField("Image", "debian"), HaveField("Retention", BeNil()), HaveField("Held", false)))

	image.Labels = map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
	image.Spec.History = &v1alpha1.HistoryLimits{LogRetention: &v1alpha1.HistoryTTL{
		Succeeded: &v1alpha1.Duration{Duration: time.Hour}, Failed: &v1alpha1.Duration{Duration: time.Minute},
	}}
	image = require.Value(images.Update(t.Context(), image, metav1.UpdateOptions{}))(w.t)
	w.Eventually(w.record(build)).Should(And(HaveField("Retention", HaveValue(Equal(time.Hour))), HaveField("Held", true)))
	image.Labels = nil
	image = require.Value(images.Update(t.Context(), image, metav1.UpdateOptions{}))(w.t)
	w.Eventually(w.record(build)).Should(HaveField("Held", false))

	// A build that outlives its Image keeps what that set last, also if another process archives the rest of its log.
	image.Labels = map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
	image = require.Value(images.Update(t.Context(), image, metav1.UpdateOptions{}))(w.t)
	orphan, log := w.start("debian-2", func(build *v1alpha1.ImageBuild) {
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian", UID: uid(image)}
	})
	log.write(linesFrom(1, 1))
	w.Eventually(w.record(orphan)).Should(And(HaveField("Retention", HaveValue(Equal(time.Minute))), HaveField("Held", true)))
	stop()
	w.Expect(images.Delete(t.Context(), "debian", metav1.DeleteOptions{})).To(Succeed())
	w.run()
	w.end("debian-2")
	w.finish("debian-2", v1alpha1.BuildSucceeded)
	w.Eventually(w.condition("debian-2")).Should(Equal("True/Archived"))
	w.Expect(w.record(orphan)()).To(And(HaveField("Retention", HaveValue(Equal(time.Hour))), HaveField("Held", true)))
}

func TestTheLogOfADeletedImageWithADamagedRecordIsKept(t *testing.T) {
	directory := t.TempDir()
	w := newFixture(t, "file://"+directory)
	build, log := w.start("once", func(build *v1alpha1.ImageBuild) {
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "deleted", UID: "deleted"}
	})
	record := filepath.Join(directory, "v1", namespace, string(build.UID), "build.json")
	w.Expect(os.MkdirAll(filepath.Dir(record), 0o700)).To(Succeed())
	w.Expect(os.WriteFile(record, []byte(`{"namespace":`), 0o600)).To(Succeed())
	log.write(linesFrom(1, 3))
	w.run()
	w.end("once")
	w.finish("once", v1alpha1.BuildSucceeded)
	w.Eventually(w.condition("once")).Should(Equal("True/Archived"))
	w.Expect(w.record(build)()).To(And(HaveField("Name", "once"), HaveField("Retention", BeNil())))
}

func TestOldLogsAreDeletedAndTheirBuildsSaySo(t *testing.T) {
	w := newFixture(t, "mem://")
	image := w.image()
	stop := w.run()
	build, log := w.start("once", func(build *v1alpha1.ImageBuild) {
		build.Spec.ImageRef = &v1alpha1.ImageReference{Name: image.Name, UID: image.UID}
	})
	log.write(linesFrom(1, 3))
	w.end("once")
	w.finish("once", v1alpha1.BuildSucceeded)
	w.Eventually(w.condition("once")).Should(Equal("True/Archived"))
	stop()
	w.clock.SetTime(w.clock.Now().Add(time.Hour + time.Second))
	w.change("once", func(build *v1alpha1.ImageBuild) { build.Status.Phase = v1alpha1.BuildSucceeded })

	w.sweep()
	w.Expect(w.condition("once")()).To(Equal("False/LogExpired"))
	w.Expect(w.archived(build)).To(BeEmpty())
	w.run()
	w.Consistently(w.condition("once"), 200*time.Millisecond).Should(Equal("False/LogExpired"))
}

// Each case changes the API after the archive has recorded an expired build that is not held.
func TestASweepAsksTheAPIAndNotTheArchiveBeforeItDeletes(t *testing.T) {
	held := map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
	for name, c := range map[string]struct {
		change  func(w *fixture, image *v1alpha1.Image, build *v1alpha1.ImageBuild)
		deleted bool
	}{
		"the build is held": {change: func(w *fixture, _ *v1alpha1.Image, build *v1alpha1.ImageBuild) {
			build.Labels = held
			require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Update(w.t.Context(), build, metav1.UpdateOptions{}))(w.t)
		}},
		"its image is held": {change: func(w *fixture, image *v1alpha1.Image, _ *v1alpha1.ImageBuild) { w.update(image, held, time.Hour) }},
		"its image is held, and the build is deleted": {change: func(w *fixture, image *v1alpha1.Image, build *v1alpha1.ImageBuild) {
			w.update(image, held, time.Hour)
			w.Expect(w.client.ImagesV1alpha1().ImageBuilds(namespace).Delete(w.t.Context(), build.Name, metav1.DeleteOptions{})).To(Succeed())
		}},
		"its image keeps logs longer": {change: func(w *fixture, image *v1alpha1.Image, _ *v1alpha1.ImageBuild) { w.update(image, nil, 24*time.Hour) }},
		"builds cannot be read": {change: func(w *fixture, _ *v1alpha1.Image, _ *v1alpha1.ImageBuild) {
			w.stored.Refuse(func(call apitest.Call) int {
				return when(call.Resource == "imagebuilds", http.StatusServiceUnavailable)
			})
		}},
		"images cannot be read": {change: func(w *fixture, _ *v1alpha1.Image, _ *v1alpha1.ImageBuild) {
			w.stored.Refuse(func(call apitest.Call) int { return when(call.Resource == "images", http.StatusForbidden) })
		}},
		"images of a deleted build cannot be read": {change: func(w *fixture, _ *v1alpha1.Image, build *v1alpha1.ImageBuild) {
			w.Expect(w.client.ImagesV1alpha1().ImageBuilds(namespace).Delete(w.t.Context(), build.Name, metav1.DeleteOptions{})).To(Succeed())
			w.stored.Refuse(func(call apitest.Call) int { return when(call.Resource == "images", http.StatusForbidden) })
		}},
		"nothing has changed": {change: func(*fixture, *v1alpha1.Image, *v1alpha1.ImageBuild) {}, deleted: true},
		"the build is deleted": {change: func(w *fixture, _ *v1alpha1.Image, build *v1alpha1.ImageBuild) {
			w.Expect(w.client.ImagesV1alpha1().ImageBuilds(namespace).Delete(w.t.Context(), build.Name, metav1.DeleteOptions{})).To(Succeed())
		}, deleted: true},
		"another image of its name is held": {change: func(w *fixture, image *v1alpha1.Image, build *v1alpha1.ImageBuild) {
			w.Expect(w.client.ImagesV1alpha1().ImageBuilds(namespace).Delete(w.t.Context(), build.Name, metav1.DeleteOptions{})).To(Succeed())
			w.Expect(w.client.ImagesV1alpha1().Images(namespace).Delete(w.t.Context(), image.Name, metav1.DeleteOptions{})).To(Succeed())
			_, err := w.client.ImagesV1alpha1().Images(namespace).Create(w.t.Context(),
				&v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: image.Name, Labels: held}}, metav1.CreateOptions{})
			w.Expect(err).NotTo(HaveOccurred())
		}, deleted: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t, "mem://")
			image := w.image()
			build, _ := w.start("debian-1", func(build *v1alpha1.ImageBuild) {
				build.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian", UID: uid(image)}
			})
			w.finish("debian-1", v1alpha1.BuildSucceeded)
			build = require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(t.Context(), build.Name, metav1.GetOptions{}))(w.t)
			w.Expect(w.archive.PutBuild(t.Context(), archive.Build{
				Namespace: namespace, Name: build.Name, UID: build.UID, Image: "debian", ImageUID: image.UID,
				Finished: new(w.clock.Now()), Succeeded: true, Retention: new(time.Hour),
			})).To(Succeed())
			log := require.Value(w.archive.Writer(t.Context(), key(build, &build.Status.Attempts[0]), archive.Limit{}))(w.t)
			w.Expect(log.Write(t.Context(), []byte(linesFrom(1, 3)))).To(Succeed())
			w.Expect(log.Seal(t.Context(), archive.Seal{})).Error().NotTo(HaveOccurred())
			w.clock.SetTime(w.clock.Now().Add(time.Hour + time.Second))

			c.change(w, image, build)
			w.sweep()
			w.stored.Refuse(nil)
			if c.deleted {
				w.Expect(w.archived(build)).To(BeEmpty())
				return
			}
			w.Expect(w.archived(build)).To(Equal(linesFrom(1, 3)))
			w.Expect(w.record(build)()).To(HaveField("Expired", BeNil()))
			w.Expect(w.condition(build.Name)()).NotTo(Equal("False/LogExpired"))
		})
	}
}

// when is a status of HTTP if a condition holds, and otherwise 0.
func when(condition bool, status int) int {
	if condition {
		return status
	}
	return 0
}

func TestALogOfABuildThatIsDeletedEndsInTheArchive(t *testing.T) {
	for name, seen := range map[string]bool{"while the controller runs": true, "while it does not": false} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t, "mem://")
			stop := w.run()
			build, log := w.start("once")
			log.write(linesFrom(1, 3))
			w.Eventually(func() string { return w.archived(build) }).Should(Equal(linesFrom(1, 3)))
			if !seen {
				stop()
			}
			w.Expect(w.client.ImagesV1alpha1().ImageBuilds(namespace).Delete(t.Context(), "once", metav1.DeleteOptions{})).To(Succeed())
			w.deletePod("once")
			log.change(func() { log.ended = true })
			if !seen {
				w.run()
			}
			w.Eventually(w.record(build)).Should(HaveField("Finished", Not(BeNil())))
			summary := require.Value(w.archive.Summary(t.Context(), key(build, &build.Status.Attempts[0])))(w.t)
			w.Expect(summary).To(HaveValue(HaveField("InPart", true)))
			w.Expect(w.archived(build)).To(Equal(linesFrom(1, 3)))
		})
	}
}
