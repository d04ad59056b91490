// SPDX-License-Identifier: Apache-2.0

package advisories_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

func TestAHostileLockNeedsLittleTimeAndMemory(t *testing.T) {
	const entries = 200
	sets := []*advisories.Set{require.Value(advisories.Read(bytes.NewReader(trackerOf(1, entries, 1000))))(t)}
	lockOfMany := func(one string) advisories.Subject {
		lock := lockOf("debian 13")
		for i := range v1alpha1.MaxLockPackages {
			lock.Packages = append(lock.Packages, installed(fmt.Sprintf(one, i)))
		}
		return advisories.Subject{Locks: []*v1alpha1.Lock{lock}}
	}
	manyPackages := lockOfMany("package-%06d 1-1 source-0 0.0.0-0")
	result, err := advisories.Find(t.Context(), sets, manyPackages)
	if err != nil || result.Counts.Unknown != entries {
		t.Errorf("got %v, %+v", err, result.Counts)
	}
	names := 0
	for _, item := range result.Items {
		names += len(strings.Join(item.Packages, ""))
	}
	if len(result.Items) == 0 || names > 8<<20 {
		t.Errorf("%d vulnerabilities have %d bytes of names", len(result.Items), names)
	}
	if _, err = advisories.Find(t.Context(), sets, lockOfMany("package-%[1]d 1-1 source-0 0.0.0-%[1]d")); err == nil || !strings.Contains(err.Error(), "4000000 entries of advisories, at most 2000000") {
		t.Errorf("a source package in too many versions: %v", err)
	}
	var broken, open, stated []string
	for i := range entries {
		entry := fmt.Sprintf(`"CVE-2026-%d": {"releases": {"trixie": {"status": `, 1000+i)
		broken, open = append(broken, entry+`"resolved", "fixed_version": "!"}}}`), append(open, entry+`"open"}}}`)
		stated = append(stated, fmt.Sprintf(`{"vulnerability": {"name": "CVE-2026-%d"}, "products": [{"@id": "pkg:deb/debian/source-0"}], "status": "not_affected"}`, 1000+i))
	}
	for name, texts := range map[string][]string{
		"many unmatched packages of many entries": {`{"source-0": {` + strings.Join(broken, ",") + `}}`},
		"many packages of many statements":        {`{"source-0": {` + strings.Join(open, ",") + `}}`, vex(strings.Join(stated, ","))},
	} {
		var sets []*advisories.Set
		for _, text := range texts {
			sets = append(sets, require.Value(advisories.Read(strings.NewReader(text)))(t))
		}
		if _, err := advisories.Find(t.Context(), sets, manyPackages); err == nil || !strings.Contains(err.Error(), "at most 2000000") {
			t.Errorf("%s: %v", name, err)
		}
	}
	others := lockOf(strings.Repeat("x", 1<<20)+" 1", "a 1", "b 1")
	if got := advisories.Match(sets, advisories.Subject{Locks: []*v1alpha1.Lock{others}}).Unmatched; len(got) != 1 || len(got[0]) > 200 {
		t.Errorf("a long ID of a distribution is told whole, in %d lines", len(got))
	}
	gone, leave := context.WithCancelCause(t.Context())
	reason := errors.New("the client has gone")
	leave(reason)
	if _, err = advisories.Find(gone, sets, manyPackages); !errors.Is(err, reason) {
		t.Errorf("after its end: %v", err)
	}
}

func TestAnUnmatchedPackageOfTwoSourcePackagesCountsOnce(t *testing.T) {
	result := advisories.Match(nil, advisories.Subject{Locks: []*v1alpha1.Lock{lockOf("debian 13", "a 1 one 1"), lockOf("debian 13", "a 1 two 1")}})
	if got := brief(result); got != "no advisory is about 1 package of debian 13" || result.Counts.Unmatched != 1 {
		t.Errorf("%d: %s", result.Counts.Unmatched, got)
	}
}
