// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

var columns = []metav1.TableColumnDefinition{{Name: "Name"}, {Name: "Phase"}}

// drawn returns a screen, and a function that returns what the screen wrote since the previous call of the function.
func drawn(fits *size) (*screen, func() string) {
	var out bytes.Buffer
	screen := newScreen(&out, "team", output.Style{})
	screen.size = func() size { return *fits }
	return screen, func() string {
		defer out.Reset()
		return out.String()
	}
}

func build(number int, phase string) row {
	name := fmt.Sprintf("debian-%d", number)
	build := row{cells: []any{name, phase}}
	build.Name, build.UID = name, types.UID(name)
	build.CreationTimestamp = metav1.NewTime(time.Unix(int64(number/2), 0)) // two builds in each second
	return build
}

func TestTheTableIsRedrawnInPlace(t *testing.T) {
	screen, written := drawn(&size{80, 24})
	unordered := []row{build(10, "Running"), build(9, "Failed"), build(11, "Pending")}
	for _, step := range []struct {
		name string
		do   func() error
		want string
	}{
		{"nothing", func() error { return screen.replace(columns, nil) }, "no builds in namespace team\n"},
		{"the first builds, in any order", func() error { return screen.replace(columns, unordered) },
			"\x1b[1F\x1b[J" + "NAME        PHASE\n" + "debian-9    Failed\n" + "debian-10   Running\n" + "debian-11   Pending\n"},
		{"a change", func() error { return screen.change(build(10, "Succeeded")) },
			"\x1b[4F\x1b[J" + "NAME        PHASE\n" + "debian-9    Failed\n" + "debian-10   Succeeded\n" + "debian-11   Pending\n"},
		{"a deletion", func() error { return screen.remove(build(9, "Failed")) },
			"\x1b[4F\x1b[J" + "NAME        PHASE\n" + "debian-10   Succeeded\n" + "debian-11   Pending\n"},
		{"a shorter name", func() error { return screen.replace(columns, []row{build(9, "Failed")}) },
			"\x1b[3F\x1b[J" + "NAME        PHASE\n" + "debian-9    Failed\n"},
		{"the server goes", func() error { return screen.lost(errors.New("connection\nrefused")) },
			"\x1b[2F\x1b[J" + "NAME        PHASE\n" + "debian-9    Failed\n" + "connection refused; trying again\n"},
		{"and comes back", func() error { return screen.replace(columns, []row{build(10, "Succeeded")}) },
			"\x1b[3F\x1b[J" + "NAME        PHASE\n" + "debian-10   Succeeded\n"},
	} {
		require.NoError(t, step.do())
		if got := written(); got != step.want {
			t.Errorf("%s: got %q, want %q", step.name, got, step.want)
		}
	}
}

func TestTheTableFitsTheTerminal(t *testing.T) {
	var builds []row
	for number := range 20 {
		builds = append(builds, build(number+1, "Running"))
	}
	for height := 1; height <= 24; height++ {
		fits := &size{13, height}
		screen, written := drawn(fits)
		require.NoError(t, screen.replace(columns, builds))
		lines := strings.Split(strings.TrimSuffix(written(), "\n"), "\n")
		if height >= 4 && len(lines) > height-1 {
			t.Errorf("%d lines on %d", len(lines), height)
		}
		newest := lines[len(lines)-1]
		if height < 22 {
			if shown := len(lines) - 2; !strings.HasPrefix(newest, fmt.Sprintf("and %d older", 20-shown)) {
				t.Errorf("height %d: %d builds shown, and %q", height, shown, newest)
			}
			newest = lines[len(lines)-2]
		}
		if !strings.HasPrefix(newest, "debian-20") {
			t.Errorf("height %d: the newest shown is %q", height, newest)
		}
		for _, line := range lines {
			if utf8.RuneCountInString(line) > fits.width {
				t.Errorf("%q is wider than %d", line, fits.width)
			}
		}
	}
}

func TestANarrowTerminalHasTheImportantColumns(t *testing.T) {
	var columns []metav1.TableColumnDefinition
	for _, name := range []string{"Name", "Image", "Phase", "Why", "Progress", "Attempt", "Duration", "Age"} {
		columns = append(columns, metav1.TableColumnDefinition{Name: name, Type: "string"})
	}
	failed := row{cells: []any{"debian-1", "debian", "Failed", "OOMKilled", "50%", 3, "4m", "5m"}}
	fits := &size{}
	screen, written := drawn(fits)
	for _, test := range []struct {
		width int
		want  string
	}{
		{80, "NAME IMAGE PHASE WHY PROGRESS ATTEMPT DURATION AGE"},
		{68, "NAME IMAGE PHASE WHY PROGRESS DURATION AGE"},
		{50, "NAME IMAGE PHASE WHY AGE"},
		{30, "NAME PHASE WHY"},
		{17, "NAME PHASE"},
		{80, "NAME IMAGE PHASE WHY PROGRESS ATTEMPT DURATION AGE"},
	} {
		fits.width, fits.height = test.width, 24
		require.NoError(t, screen.replace(columns, []row{failed}))
		header, _, _ := strings.Cut(strings.TrimPrefix(written(), "\x1b[H\x1b[2J"), "\n")
		if got := strings.Join(strings.Fields(header), " "); got != test.want {
			t.Errorf("width %d: got %q, want %q", test.width, got, test.want)
		}
	}
}

func TestThePhaseOfARowIsFound(t *testing.T) {
	for _, test := range []struct{ header, row, want string }{
		{"NAME   PHASE    WHY", "a-1    Failed   <none>", "Failed"},
		{"NAME   PHASE", "ä-1    Failed", "Failed"},
		{"NAME   PHASE", "a-1    Fai…", "Fai…"},
		{"NAME   PHASE", "a-1  …", ""},
		{"NAME   WHY", "a-1    Failed", ""},
	} {
		if begin, end := phaseIn(test.header, test.row); test.row[begin:end] != test.want {
			t.Errorf("%q: got %q, want %q", test.row, test.row[begin:end], test.want)
		}
	}
}

func TestAnotherSizeClearsTheTerminal(t *testing.T) {
	fits := &size{80, 24}
	screen, written := drawn(fits)
	require.NoError(t, screen.replace(columns, []row{build(1, "Running")}))
	written()
	fits.width = 10
	require.NoError(t, screen.change(build(1, "Failed")))
	if got, want := written(), "\x1b[H\x1b[2JNAME     …\ndebian-1 …\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
