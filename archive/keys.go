// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// root is the prefix of all keys but formatKey. A new layout would get a new root.
	root = "v1/"
	// chunkSize is the maximum size of a chunk, uncompressed.
	chunkSize = 1 << 20
	// chunkSuffix is the suffix of a chunk's key.
	chunkSuffix = ".zst"
	// sealName and buildName are the last parts of the keys of a Summary and of a Build.
	sealName  = "seal.json"
	buildName = "build.json"
	// cutPrefix is the prefix of the last part of the key of a cutMark.
	cutPrefix = "cut-"
	// offsetDigits is the number of digits with which keys sort by offset.
	offsetDigits = 20
)

// Attempt names one attempt's log.
type Attempt struct {
	// Namespace is the build's.
	Namespace string
	// Build is the uid of the ImageBuild.
	Build types.UID
	// Number is the attempt's, from 1.
	Number int32
	// Pod is the uid of the attempt's pod.
	Pod types.UID
}

// String is for messages: namespace/build/number-pod.
func (a Attempt) String() string {
	return fmt.Sprintf("%s/%s/%d-%s", a.Namespace, a.Build, a.Number, a.Pod)
}

// prefix of an attempt's keys.
func (a Attempt) prefix() (string, error) {
	prefix, err := buildPrefix(a.Namespace, a.Build)
	if err != nil {
		return "", err
	}
	if a.Number < 0 || !isSegment(string(a.Pod)) {
		return "", fmt.Errorf("%w: attempt %d of pod %q", errBadName, a.Number, a.Pod)
	}
	return fmt.Sprintf("%s%d-%s/", prefix, a.Number, a.Pod), nil
}

// errBadName means that a name cannot be a part of a key. A UID may come from a request.
var errBadName = errors.New("invalid name of a log")

// buildPrefix of a build's keys.
func buildPrefix(namespace string, build types.UID) (string, error) {
	if !isSegment(namespace) || !isSegment(string(build)) {
		return "", fmt.Errorf("%w: namespace %q, uid %q", errBadName, namespace, build)
	}
	return root + namespace + "/" + string(build) + "/", nil
}

// isSegment reports whether s can be one segment of a key, in every store and on every file system.
func isSegment(s string) bool {
	if s == "" || len(s) > 128 || s[0] == '.' || s[len(s)-1] == '.' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// parseAttempt reads "<number>-<pod uid>".
func parseAttempt(name string) (number int32, pod types.UID, ok bool) {
	digits, uid, found := strings.Cut(name, "-")
	n, err := strconv.ParseInt(digits, 10, 32)
	if !found || err != nil || strconv.FormatInt(n, 10) != digits || n < 0 || !isSegment(uid) {
		return 0, "", false
	}
	return int32(n), types.UID(uid), true
}

// span is the bytes [start, end) of a stream, as one stored chunk.
type span struct {
	start, end int64
	// text is how much of the text is before the chunk, and textEnd how much before its end.
	text, textEnd int64
	// missing is a gap of an unsealed log that the limit has not cut. Its text is an estimate.
	missing bool
}

// name of the chunk, below the attempt's prefix.
func (s span) name() string {
	return fmt.Sprintf("%0*d-%0*d-%0*d-%0*d%s", offsetDigits, s.start, offsetDigits, s.end, offsetDigits, s.text, offsetDigits, s.textEnd, chunkSuffix)
}

// parseSpan reads a chunk's name. Other files are temporary or do not belong to the archive.
func parseSpan(name string) (span, bool) {
	digits, found := strings.CutSuffix(name, chunkSuffix)
	var numbers []int64
	for field := range strings.SplitSeq(digits, "-") {
		n, err := strconv.ParseUint(field, 10, 63)
		if err != nil || len(field) != offsetDigits {
			return span{}, false
		}
		numbers = append(numbers, int64(n))
	}
	if !found || len(numbers) != 4 {
		return span{}, false
	}
	s := span{start: numbers[0], end: numbers[1], text: numbers[2], textEnd: numbers[3]}
	return s, s.isSound()
}

// cutMark names bytes that the limit has cut from an unsealed log. It comes after all chunks, so that a list without a cut chunk has it.
func cutMark(cut span) string {
	return fmt.Sprintf("%s%0*d-%0*d", cutPrefix, offsetDigits, cut.start, offsetDigits, cut.end)
}

// parseCutMarks finds the names of cut bytes.
func parseCutMarks(names []string) (cuts []span) {
	for _, name := range names {
		if cut, ok := parseCutMark(name); ok {
			cuts = append(cuts, cut)
		}
	}
	return cuts
}

func parseCutMark(name string) (span, bool) {
	start, end, _ := strings.Cut(strings.TrimPrefix(name, cutPrefix), "-")
	from, _ := strconv.ParseUint(start, 10, 63)
	to, _ := strconv.ParseUint(end, 10, 63)
	cut := span{start: int64(from), end: int64(to)}
	return cut, cut.start < cut.end && cutMark(cut) == name
}

// isSound reports whether a span is plausible. The text may include what the piece before ends with, if that turned out to be no
// timestamp.
func (s span) isSound() bool {
	size := s.end - s.start
	return s.start >= 0 && size > 0 && size <= chunkSize && s.text >= 0 && s.textEnd >= s.text
}

// spans are chunks in order. No chunk is within another chunk, so both starts and ends increase.
type spans []span

// newSpans sorts chunks, and leaves out chunks that other chunks cover.
func newSpans(all []span) spans {
	slices.SortFunc(all, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end), strings.Compare(b.name(), a.name()))
	})
	var end int64
	return slices.DeleteFunc(all, func(s span) bool {
		covered := s.end <= end
		end = max(end, s.end)
		return covered
	})
}

// indexAt finds the chunk with the byte at offset, or else the next chunk. It returns len(s) if there is none.
func (s spans) indexAt(offset int64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].end > offset })
}

// from is the first byte of a chunk that the previous chunk does not have.
func (s spans) from(i int) int64 {
	if i == 0 {
		return s[0].start
	}
	return max(s[i].start, s[i-1].end)
}

// isWithin reports whether a chunk has all bytes of one of s.
func (s spans) isWithin(chunk span) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].start >= chunk.start })
	return i < len(s) && s[i].end <= chunk.end
}

// withMissing adds missing chunks for the bytes that are in no chunk and that the limit has not cut.
func (s spans) withMissing(cuts []span) spans {
	var all spans
	for i, chunk := range s {
		start, text := s[:i].end(), s[:i].textEnd()
		textAt := func(at int64) int64 {
			return text + int64(float64(max(0, chunk.text-text))*float64(at-start)/float64(chunk.start-start))
		}
		for at := start; at < chunk.start; {
			cut, end := at, min(chunk.start, at+chunkSize)
			for _, c := range cuts {
				if c.start <= at {
					cut = max(cut, c.end)
				} else {
					end = min(end, c.start)
				}
			}
			if cut == at {
				all = append(all, span{start: at, end: end, text: textAt(at), textEnd: textAt(end), missing: true})
				cut = end
			}
			at = cut
		}
		all = append(all, chunk)
	}
	return all
}

// hasMissing reports whether there are missing chunks.
func (s spans) hasMissing() bool {
	return slices.ContainsFunc(s, func(s span) bool { return s.missing })
}

// gap is how many bytes are missing before a chunk.
func (s spans) gap(i int) int64 { return s.from(i) - s[:i].end() }

// missingBefore is how many bytes of the text are missing before a chunk.
func (s spans) missingBefore(i int) int64 {
	if s.gap(i) == 0 {
		return 0
	}
	return s[i].text - s[:i].textEnd()
}

// textEnd is the end of the text of the last chunk.
func (s spans) textEnd() int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].textEnd
}

// end of the last chunk.
func (s spans) end() int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1].end
}
