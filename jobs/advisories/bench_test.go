// SPDX-License-Identifier: Apache-2.0

package advisories_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

// The JSON of the tracker of 2026 has about 45,000 vulnerabilities of 4,000 source packages, each in 5 releases.
const (
	trackedSources         = 4000
	trackedVulnerabilities = 45_000
)

// trackerOf is JSON in the shape of that of the tracker, with so many vulnerabilities, each of about so many bytes.
func trackerOf(sources, vulnerabilities, size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	var text bytes.Buffer
	text.WriteByte('{')
	left := vulnerabilities
	for source := range sources {
		if source > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `"source-%d":{`, source)
		count := max(1, left/(sources-source))
		for i := range count {
			if i > 0 {
				text.WriteByte(',')
			}
			fmt.Fprintf(&text, `"CVE-%d-%d":{"scope":"remote","debianbug":%d,"description":"`, 2005+random.IntN(22), 1000+left-i, random.IntN(1_100_000))
			for words := size - 900; words > 0; words -= 16 {
				fmt.Fprintf(&text, "%015x ", random.Uint64()>>4)
			}
			text.WriteString(`","releases":{`)
			for at, release := range []string{"bullseye", "bookworm", "trixie", "forky", "sid"} {
				if at > 0 {
					text.WriteByte(',')
				}
				version := fmt.Sprintf("%d.%d.%d-%d", random.IntN(5), random.IntN(20), random.IntN(30), 1+random.IntN(5))
				fmt.Fprintf(&text, `%q:{"status":"resolved","repositories":{%q:%q,"%s-security":%q},"fixed_version":%q,"urgency":"not yet assigned"}`,
					release, release, version, release, version, version)
			}
			text.WriteString(`}}`)
		}
		left -= count
		text.WriteByte('}')
	}
	text.WriteByte('}')
	return text.Bytes()
}

// image has so many packages of Debian 13 with vulnerabilities.
func image(packages int) advisories.Subject {
	lock := lockOf("debian 13")
	for i := range packages {
		lock.Packages = append(lock.Packages, installed(fmt.Sprintf("package-%d 1.%d-1 source-%d 1.%d-1", i, i%20, i, i%20)))
	}
	return advisories.Subject{Locks: []*v1alpha1.Lock{lock}}
}

// heap returns how many bytes are reachable.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func BenchmarkRead(b *testing.B) {
	content := trackerOf(trackedSources, trackedVulnerabilities, 200<<20/trackedVulnerabilities)
	b.SetBytes(int64(len(content)))
	before := heap()
	var set *advisories.Set
	for b.Loop() {
		set = require.Value(advisories.Read(bytes.NewReader(content)))(b)
	}
	b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
	runtime.KeepAlive(set)
	runtime.KeepAlive(content)
}

func BenchmarkMatch(b *testing.B) {
	set := require.Value(advisories.Read(bytes.NewReader(trackerOf(trackedSources, trackedVulnerabilities, 1000))))(b)
	subject := image(500)
	for b.Loop() {
		advisories.Match([]*advisories.Set{set}, subject)
	}
}

// TestAdvisoriesAreSmallInMemory holds what docs say about memory. A long description is cut, and texts are kept once.
func TestAdvisoriesAreSmallInMemory(t *testing.T) {
	const vulnerabilities = trackedVulnerabilities / 20
	content := trackerOf(trackedSources/20, vulnerabilities, 200<<20/trackedVulnerabilities)
	before := heap()
	set := require.Value(advisories.Read(bytes.NewReader(content)))(t)
	used := heap() - before
	if perEntry := used / vulnerabilities; perEntry > 1200 {
		t.Errorf("%d bytes for each of %d vulnerabilities", perEntry, vulnerabilities)
	}
	if counted := uint64(set.Memory()); counted < used*2/3 || counted > used*2 {
		t.Errorf("counted %d bytes, of which %d are used", counted, used)
	}
	runtime.KeepAlive(set)
	runtime.KeepAlive(content)
	if result := advisories.Match([]*advisories.Set{set}, image(100)); len(result.Items) == 0 || len(result.Unmatched) > 0 {
		t.Errorf("got %d vulnerabilities", len(result.Items))
	}
}
