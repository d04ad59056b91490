// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheLastFrameIsWhatATerminalShows(t *testing.T) {
	for _, test := range []struct {
		name, output string
		want         []string // lines that are not empty
	}{
		{"text", "hi", []string{`<text x="0" y="14" textLength="18">hi</text>`}},
		{"one of sixteen colours", "\x1b[32m✓\x1b[0m done", []string{
			`<text x="0" y="14" textLength="9" class="c2">✓</text><text x="18" y="14" textLength="36">done</text>`,
		}},
		{"any colour", "\x1b[38;2;255;128;0mx", []string{`<text x="0" y="14" textLength="9" style="fill:#ff8000">x</text>`}},
		{"bold and faint", "\x1b[1;31mb\x1b[0;2mf", []string{
			`<text x="0" y="14" textLength="9" class="c1 bold">b</text><text x="9" y="14" textLength="9" class="faint">f</text>`,
		}},
		{"backgrounds", "\x1b[44ma \x1b[42;30mb", []string{
			`<rect x="0" width="18" height="19" style="fill:#000080"/><rect x="18" width="9" height="19" style="fill:#008000"/>` +
				`<text x="0" y="14" textLength="9">a</text><text x="18" y="14" textLength="9" style="fill:#000000">b</text>`,
		}},
		{"columns", "a b  c", []string{`<text x="0" y="14" textLength="27">a b</text><text x="45" y="14" textLength="9">c</text>`}},
		{"wide characters", "金b", []string{`<text x="0" y="14" textLength="27">金b</text>`}},
		{"markup is escaped", "a<b>&c", []string{`<text x="0" y="14" textLength="54">a&lt;b&gt;&amp;c</text>`}},
		{"a carriage return", "step 1\rstep 2", []string{`<text x="0" y="14" textLength="54">step 2</text>`}},
		{"a line overwritten with spaces", "step 1\r      \rok", []string{`<text x="0" y="14" textLength="18">ok</text>`}},
		{"an erased line", "step 1\r\x1b[Kok", []string{`<text x="0" y="14" textLength="18">ok</text>`}},
		{"lines that scroll", "a\r\nb\r\nc", []string{
			`<text x="0" y="14" textLength="9">b</text>`, `<text x="0" y="14" textLength="9">c</text>`,
		}},
		{"a prompt with its exit status", "\x1b]133;D;0\x07$ ", []string{`<text x="0" y="14" textLength="9">$</text>`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			frames, _ := cast{header{2, 10, 2, "test"}, []event{{0, test.output}}}.play()
			got := slices.DeleteFunc(frames[len(frames)-1].lines, func(line string) bool { return line == "" })
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestFramesLastUntilTheTerminalChanges(t *testing.T) {
	c := cast{header{2, 10, 2, "<test>"}, []event{{0.2, "a"}, {0.21, "b"}, {0.5, "\x1b[32m"}, {1, "c"}, {4, ""}}}
	var seconds []float64
	frames, _ := c.play()
	for _, f := range frames {
		seconds = append(seconds, f.seconds)
	}
	if want := []float64{0, 1}; !slices.Equal(seconds, want) {
		t.Errorf("frames at %v, want %v", seconds, want)
	}
	svg := c.svg()
	for _, want := range []string{
		"<title id=\"title\">&lt;test&gt;</title>", "screen:\nabc</desc>", "animation:film 4.000s step-end infinite",
		"0.000%{transform:translateX(0px)}\n25.000%{transform:translateX(-90px)}\n100%{transform:translateX(-90px)}",
		"@media (prefers-reduced-motion:reduce){.film{animation:none}}",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("the SVG does not contain %q:\n%s", want, svg)
		}
	}
}

func TestEachSVGInTheDocsIsThatOfItsCast(t *testing.T) {
	for _, castFile := range []string{castFile, k9sCastFile} {
		svgFile := svgFile(castFile)
		text := readFile(t, castFile)
		c, err := parseCast(text)
		if err != nil {
			t.Fatal(err)
		}
		svg := string(readFile(t, svgFile))
		if svg != c.svg() {
			t.Errorf("%s is stale: run make recording", svgFile)
		}
		if len(svg) > 300_000 {
			t.Errorf("%s has %d bytes, more than 300000", svgFile, len(svg))
		}
		if again, err := c.marshal(); err != nil || string(again) != string(text) {
			t.Errorf("encoded again, the cast differs: %v", err)
		}
		decoder := xml.NewDecoder(strings.NewReader(svg))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if element, ok := token.(xml.StartElement); ok && element.Name.Local == "script" {
				t.Errorf("%s has a script", svgFile)
			}
		}
	}
}

func TestACastIsReadAsItIsWritten(t *testing.T) {
	want := cast{header{2, 80, 24, "a title"}, []event{{0.001, "<✓>\x1b[0m\r\n"}, {2.5, ""}}}
	text, err := want.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseCast(text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s is read as %v, %v", text, got, err)
	}
	for name, text := range map[string]string{
		"another version": `{"version":1,"width":80,"height":24}` + "\n[0,\"o\",\"x\"]",
		"no size":         `{"version":2}` + "\n[0,\"o\",\"x\"]",
		"no events":       `{"version":2,"width":80,"height":24}`,
		"half an event":   `{"version":2,"width":80,"height":24}` + "\n[0,",
	} {
		if got, err := parseCast([]byte(text)); err == nil {
			t.Errorf("%s: read as %v", name, got)
		}
	}
}

func TestTheSessionIsValid(t *testing.T) {
	parsed, err := parse[session](readFile(t, sessionFile))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Title == "" || parsed.Builder == "" || parsed.Columns == 0 || parsed.Rows == 0 || len(parsed.Steps) == 0 {
		t.Errorf("%s lacks a field: %+v", sessionFile, parsed)
	}
	if _, err := parse[session]([]byte(`{"steps":[{"comand":"ls"}]}`)); err == nil {
		t.Error("an unknown field is ignored")
	}
}

func TestTheScreenOfK9sIsValid(t *testing.T) {
	parsed, err := parse[screen](readFile(t, k9sFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := regexp.Compile(parsed.Shows); err != nil || parsed.Title == "" || parsed.Shows == "" || parsed.Columns == 0 || parsed.Rows == 0 || len(parsed.Commands) == 0 {
		t.Errorf("%s lacks a field: %+v, %v", k9sFile, parsed, err)
	}
}

func TestCharactersAreNotSplit(t *testing.T) {
	for text, want := range map[string]int{"": 0, "ab": 2, "a✓": 4, "a✓"[:3]: 1, "a✓"[:2]: 1, "a\xff": 2} {
		if got := wholeCharacters([]byte(text)); got != want {
			t.Errorf("%q: %d bytes are whole, want %d", text, got, want)
		}
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
