// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// noticeBegin is the beginning of the text of each line that reports missing bytes.
	noticeBegin = "[goldsmith: "
	// maxNotice is more than the length of such a line.
	maxNotice = 256
)

// notice matches a line of a stream that reports missing bytes: Gap, and the line with which jobs/local replaces the middle of a
// log.
var notice = regexp.MustCompile(`(?m)^\S+ \[goldsmith: (?:(\d+) bytes of the log were dropped because it is too long|a part of the log is missing here: [^\]\n]+)\]\n`)

// Gap is a line for a stream whose next bytes were lost before they were read. How many is unknown.
func Gap(now time.Time) []byte {
	return fmt.Appendf(nil, "%s %sa part of the log is missing here: the node deleted it before it was read]\n", now.UTC().Format(time.RFC3339Nano), noticeBegin)
}

// IsNotice reports whether a line of a stream reports missing bytes. A builder can write such a line, too.
func IsNotice(line []byte) bool { return notice.Match(line) }

// notices finds the lines that report missing bytes, in a stream that is read in pieces.
type notices struct {
	dropped int64 // how many bytes the lines report
	gaps    bool  // a line reports an unknown number
	rest    []byte
}

func (n *notices) add(piece []byte) {
	text := slices.Concat(n.rest, piece)
	if bytes.Contains(text, []byte(noticeBegin)) {
		for _, found := range notice.FindAllSubmatch(text, -1) {
			dropped, err := strconv.ParseInt(string(found[1]), 10, 64)
			n.gaps = n.gaps || err != nil
			n.dropped += dropped
		}
	}
	n.rest = text[bytes.LastIndexByte(text, '\n')+1:]
	n.rest = n.rest[:min(len(n.rest), maxNotice)]
}

// cause tells why a log is incomplete: what its writer knows, and what is missing in the middle. It is empty for a complete log.
func (n *notices) cause(seal Seal, cut int64) string {
	var causes []string
	if seal.Why != "" {
		causes = append(causes, seal.Why)
	}
	if cut > 0 {
		causes = append(causes, fmt.Sprintf("%d bytes of its middle were dropped because of history.logMaxBytes", cut))
	}
	if n.dropped > 0 {
		causes = append(causes, fmt.Sprintf("%d bytes of its middle were dropped because it is too long", n.dropped))
	}
	if n.gaps {
		causes = append(causes, "the node deleted a part of it before it was read")
	}
	return strings.Join(causes, "; ")
}
