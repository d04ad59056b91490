// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/mock/schema"
)

// The values of the parameter result.
const (
	resultGood      = "good"
	resultNone      = "none"
	resultMalformed = "malformed"
	resultOversized = "oversized"
	resultBadDigest = "baddigest"
)

// The values of the parameter lock, besides its default.
const (
	lockNone      = "none"
	lockMalformed = "malformed"
)

// The packages in a lock.
const (
	defaultPackages = "mock-base mock-kernel=6.12.1 mock-shell=5.2"
	defaultVersion  = "1.0"
)

// The values of the parameter onTerm, besides its default.
const (
	onTermIgnore = "ignore"
	onTermHurry  = "hurry"
)

// The values of the parameter crash.
const (
	crashSegv = "segv"
	crashOOM  = "oom"
)

// behaviour is what one attempt does: the parameters, with what does not concern the attempt left out.
type behaviour struct {
	duration     time.Duration
	steps        int
	linesPerStep int
	lineBytes    int // 0: as long as the text
	fails        bool
	failAt       int // the step it fails in; 0: before the first, where there are no steps
	failReason   string
	failClass    v1alpha1.FailureClass
	retryable    bool
	exitCode     int
	result       string
	lock         string
	archive      string             // empty: none
	packages     []v1alpha1.Package // without a version until they are resolved
	sources      []v1alpha1.PackageSource
	distribution *v1alpha1.Distribution // nil: none
	reproducible bool
	sourceFile   string // empty: none
	onTerm       string
	crash        string
}

// newBehaviour reads the parameters for one attempt. The error lists everything that is wrong with them.
func newBehaviour(parameters map[string]string, attempt int32) (behaviour, error) {
	p := &parser{parameters: parameters, described: schema.Parameters().Properties}
	b := behaviour{
		duration:     p.duration("duration", attempt, schema.DefaultDuration),
		steps:        p.number("steps", schema.DefaultSteps),
		linesPerStep: p.number("linesPerStep", schema.DefaultLinesPerStep),
		lineBytes:    p.number("lineBytes", 0),
		failReason:   p.text("failReason", schema.DefaultFailReason),
		failClass:    v1alpha1.FailureClass(p.text("failClass", "")),
		retryable:    p.boolean("retryable", false),
		reproducible: p.boolean("reproducible", true),
		sourceFile:   p.text("sourceFile", ""),
		lock:         p.choice("lock"),
		archive:      p.url("archive"),
		packages:     packages(p.text("packages", defaultPackages)),
		distribution: distribution(p.text("distribution", "")),
		onTerm:       p.choice("onTerm"),
		result:       resultGood,
	}
	failAt := p.step("failAt", b.steps)
	failAttempts := p.number("failAttempts", 0)
	exitCode := p.number("exitCode", -1)
	result := p.choice("result")
	crash := p.choice("crash")
	if len(p.problems) > 0 {
		return behaviour{}, errors.New(strings.Join(p.problems, "; "))
	}

	if p.has("failAttempts") && int(attempt) > failAttempts {
		return b, nil
	}
	b.fails = failAt > 0 || p.has("failAttempts") || crash != ""
	b.failAt = min(max(failAt, 1), b.steps)
	b.result = result
	b.crash = crash
	b.exitCode = exitCode
	if exitCode < 0 {
		b.exitCode = 0
		if b.fails {
			b.exitCode = 1
		}
	}
	return b, nil
}

// parser reads parameters and collects what is wrong with them.
type parser struct {
	parameters map[string]string
	described  map[string]capability.Property
	problems   []string
}

func (p *parser) has(name string) bool {
	_, ok := p.parameters[name]
	return ok
}

func (p *parser) problem(name, want string) {
	p.problems = append(p.problems, fmt.Sprintf("parameter %s is %q: it must be %s", name, p.parameters[name], want))
}

func (p *parser) text(name, byDefault string) string {
	if !p.has(name) {
		return byDefault
	}
	return p.parameters[name]
}

// url returns the address of an archive, or "".
func (p *parser) url(name string) string {
	address := p.text(name, "")
	parsed, err := url.Parse(address)
	if p.has(name) && (err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || strings.ContainsAny(address, "?#")) {
		p.problems = append(p.problems, "parameter "+name+" must be a URL that begins with http:// or https://, without user, query and fragment") // which can be secret
		return ""
	}
	return address
}

// number returns a number within the limits of its description.
func (p *parser) number(name string, byDefault int) int {
	property := p.described[name]
	return p.within(name, byDefault, int(*property.Minimum), int(*property.Maximum))
}

func (p *parser) within(name string, byDefault, least, most int) int {
	if !p.has(name) {
		return byDefault
	}
	value, err := strconv.Atoi(p.parameters[name])
	if err != nil || value < least || value > most {
		p.problem(name, fmt.Sprintf("a number from %d to %d", least, most))
		return byDefault
	}
	return value
}

// step is the number of a step, 0 for none.
func (p *parser) step(name string, steps int) int {
	if steps == 0 && p.has(name) {
		p.problem(name, "omitted if steps is 0")
		return 0
	}
	return p.within(name, 0, 1, steps)
}

// duration returns the duration of one attempt, from a list whose last one is that of all further attempts.
func (p *parser) duration(name string, attempt int32, byDefault time.Duration) time.Duration {
	if !p.has(name) {
		return byDefault
	}
	durations := strings.Split(p.parameters[name], ",")
	values := make([]time.Duration, len(durations))
	for i, text := range durations {
		value, err := v1alpha1.ParseDuration(text)
		if err != nil || value < 0 || value > schema.MaxDuration {
			p.problem(name, fmt.Sprintf("a duration from 0s to %v, such as 1m30s, or one for each attempt, such as 1m30s,0s", schema.MaxDuration))
			return byDefault
		}
		values[i] = value
	}
	return values[min(max(int(attempt), 1), len(values))-1]
}

// packages returns the packages of a list of NAME or NAME=VERSION, as the builder debian takes it, or in JSON. It checks nothing: a lock that is not
// valid is for Goldsmith to find.
func packages(list string) (packages []v1alpha1.Package) {
	separator := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`,[]"`, r) }
	for item := range strings.FieldsFuncSeq(list, separator) {
		name, version, _ := strings.Cut(item, "=")
		packages = append(packages, v1alpha1.Package{Name: name, Version: version, Architecture: "all"})
	}
	return packages
}

// distribution returns the distribution ID:VERSION, or nil. It checks nothing, as packages.
func distribution(text string) *v1alpha1.Distribution {
	if text == "" {
		return nil
	}
	id, version, _ := strings.Cut(text, ":")
	return &v1alpha1.Distribution{ID: id, Version: version}
}

func (p *parser) boolean(name string, byDefault bool) bool {
	if !p.has(name) {
		return byDefault
	}
	switch p.parameters[name] {
	case "true":
		return true
	case "false":
		return false
	}
	p.problem(name, "true or false")
	return byDefault
}

// choice returns one of the values of the description, or its default, which can be empty.
func (p *parser) choice(name string) string {
	property := p.described[name]
	byDefault := ""
	if property.Default != nil {
		byDefault = capability.Text(property.Default)
	}
	if !p.has(name) {
		return byDefault
	}
	choices := make([]string, len(property.Enum))
	for i, value := range property.Enum {
		choices[i] = capability.Text(value)
	}
	if !slices.Contains(choices, p.parameters[name]) {
		p.problem(name, "one of "+strings.Join(choices, ", "))
		return byDefault
	}
	return p.parameters[name]
}
