// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"context"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/builders/debian/output"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// The lines are those of mmdebstrap 1.5.7 and apt 3.0.
func TestPackagesThatAptSimulatesAreRead(t *testing.T) {
	b := &build{input: &render.Input{Resolve: true}}
	lines := &output.Tail{To: io.Discard, Noise: noise, Seen: b.reportStep}
	_, err := io.WriteString(lines, "The following NEW packages will be installed:\n  base-files\nInst gcc-14-base (14.2.0-19 Debian:13.2/stable [amd64])\n"+
		"Inst libc6 [2.41-11] (2.41-12 Debian:13.2/stable, Debian-Security:13/stable-security [amd64]) []\nInst tzdata (2025b-4+deb13u1 Debian:13.2/stable [all])\n"+
		"Inst linux-image:i386 (1:6.12~rc1-1 Debian:13.2/stable [i386])\nConf libc6 (2.41-12 Debian:13.2/stable [amd64])\n")
	want := []result.ResolvedPackage{
		{Name: "gcc-14-base", Architecture: "amd64", Version: "14.2.0-19"}, {Name: "libc6", Architecture: "amd64", Version: "2.41-12"},
		{Name: "tzdata", Architecture: "all", Version: "2025b-4+deb13u1"}, {Name: "linux-image", Architecture: "i386", Version: "1:6.12~rc1-1"},
	}
	if diff := cmp.Diff(want, b.simulated); err != nil || diff != "" {
		t.Error(err, diff)
	}
	of := &build{input: &render.Input{}}
	if of.readSimulated("Inst tzdata (2025b-4 Debian:13.2/stable [all])"); of.simulated != nil {
		t.Error("a build reads what apt simulates")
	}
}

func TestAResolveSimulatesTheEssentialPackagesFirst(t *testing.T) {
	p := &plan{config: &configuration{}, packages: []string{"curl", "nginx-light"}, simulated: true}
	options := p.mmdebstrap("/plan")
	var includes []string
	for _, option := range options {
		if len(option) > 10 && option[:10] == "--include=" {
			includes = append(includes, option[10:])
		}
	}
	of := "?narrow(?or(?archive(^trixie$),?codename(^trixie$)),?architecture(amd64),"
	want := []string{of + "?essential)", of + "?and(?priority(required),?not(?essential)))", "apt,curl,nginx-light"}
	if diff := cmp.Diff(want, includes); diff != "" || !slices.Contains(options, "--simulate") || !slices.Contains(options, "--variant=custom") {
		t.Errorf("the options are %q: %s", options, diff)
	}
}

func TestThePackagesOfABaseAreNotResolved(t *testing.T) {
	b := &build{config: &configuration{based: true}, input: &render.Input{Resolve: true}}
	if got := failureOf(b.resolve(context.Background())); got.Reason != result.ReasonResolveNotSupported {
		t.Errorf("failure %+v", got)
	}
}
