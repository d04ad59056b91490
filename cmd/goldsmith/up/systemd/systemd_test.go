// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2/textlogger"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestTheJournalGetsPrioritiesAndNoTimes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := &Log{Out: &out}
	logger := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(log)))
	logger.Info("It works", "text", "two\nlines")
	logger.Error(errors.New("disk full"), "It fails")
	for _, line := range []string{"W1128 17:01:34.123456   12345 x.go:7] careful\n", `{"level":"warn","ts":1.7,"msg":"retrying"}` + "\n", "plain\n"} {
		require.Value(log.Write([]byte(line)))(t)
	}
	require.Value(Lines{Out: &out, Priority: Error}.Write([]byte("Error: a\nb\n")))(t)
	want := `<6>systemd_test.go:*] "It works" text=<
<6>	two
<6>	lines
<6> >
<3>systemd_test.go:*] "It fails" err="disk full"
<4>x.go:*] careful
<4>{"level":"warn","msg":"retrying"}
<6>plain
<3>Error: a
<3>b
`
	var got strings.Builder
	for line := range strings.Lines(out.String()) {
		if before, after, found := strings.Cut(line, ".go:"); found {
			_, after, _ = strings.Cut(after, "]")
			line = before + ".go:*]" + after
		}
		got.WriteString(line)
	}
	if got.String() != want {
		t.Errorf("got %s\nwant %s", got.String(), want)
	}
}

func TestOnlyTheStreamOfTheJournalIsTheJournal(t *testing.T) {
	file := require.Value(os.Create(filepath.Join(t.TempDir(), "stream")))(t)
	defer func() { require.NoError(t, file.Close()) }()
	var stat unix.Stat_t
	require.NoError(t, unix.Fstat(int(file.Fd()), &stat))
	device, inode := strconv.FormatUint(stat.Dev, 10), strconv.FormatUint(stat.Ino, 10)
	for stream, want := range map[string]bool{device + ":" + inode: true, "": false, device + ":1": false, "x": false} {
		t.Setenv("JOURNAL_STREAM", stream)
		if IsJournal(file) != want {
			t.Errorf("%q: got %t", stream, !want)
		}
	}
}
