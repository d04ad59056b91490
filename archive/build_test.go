// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestABuildIsReadAsItWasPut(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		if _, err := s.GetBuild(t.Context(), "team", "b"); !errors.Is(err, ErrNotFound) {
			t.Errorf("before: %v", err)
		}
		for _, build := range []Build{{Namespace: "team", Name: "app", UID: "b"}, finished("b")} {
			require.NoError(t, s.PutBuild(t.Context(), build))
			got := require.Value(s.GetBuild(t.Context(), "team", "b"))(t)
			if !got.Equal(build) || got.Name != "app" || got.Succeeded != build.Succeeded {
				t.Errorf("got %+v, want %+v", got, build)
			}
		}
	})
}

func TestABuildThatHasNotChangedIsNotWritten(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	writes := func() (n int) {
		for _, c := range f.calls {
			if c.operation == "write" {
				n++
			}
		}
		return n
	}
	build := finished("b")
	require.NoError(t, s.PutBuild(t.Context(), build))
	elsewhere := build.Finished.In(time.FixedZone("", 3600))
	build.Finished = &elsewhere
	require.NoError(t, s.PutBuild(t.Context(), build))
	if writes() != 1 {
		t.Errorf("%d writes for the same build", writes())
	}
	longer := 2 * time.Hour
	for i, change := range []func(b *Build){
		func(b *Build) { b.Held = true },
		func(b *Build) { b.Held = false },
		func(b *Build) { b.Retention = &longer },
		func(b *Build) { b.Retention = nil },
		func(b *Build) { b.Succeeded = false },
		func(b *Build) { b.Finished = nil },
	} {
		change(&build)
		require.NoError(t, s.PutBuild(t.Context(), build))
		if writes() != i+2 {
			t.Errorf("change %d: %d writes", i, writes())
		}
	}
}

func TestWhatIsExpiredOrLocatedStaysSo(t *testing.T) {
	s := newFake().open(Options{})
	build := finished("b")
	at, other := epoch().Add(time.Hour), epoch().Add(2*time.Hour)
	build.Expired, build.NamespaceUID = &at, "n"
	require.NoError(t, s.PutBuild(t.Context(), build))
	build.NamespaceUID = ""
	for _, expired := range []*time.Time{nil, &other} {
		build.Expired, build.Held = expired, !build.Held
		require.NoError(t, s.PutBuild(t.Context(), build))
		got := require.Value(s.GetBuild(t.Context(), "team", "b"))(t)
		if got.Expired == nil || !got.Expired.Equal(at) || got.Held != build.Held || got.NamespaceUID != "n" {
			t.Errorf("got %+v", got)
		}
	}
}

func TestPutBuildsOfOneBuildAtOnce(t *testing.T) {
	s := newFake().open(Options{})
	done := make(chan error, 50)
	for i := range 50 {
		go func() {
			build := finished("b")
			build.Held = i%2 == 0
			if i == 25 {
				at := epoch()
				build.Expired = &at
			}
			done <- s.PutBuild(t.Context(), build)
		}()
	}
	for range 50 {
		require.NoError(t, <-done)
	}
	if got, err := s.GetBuild(t.Context(), "team", "b"); err != nil || got.Expired == nil {
		t.Errorf("a mark was lost: %+v, %v", got, err)
	}
}

func TestABrokenBuildIsAnErrorUntilItIsPutAgain(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	f.content["v1/team/b/build.json"] = []byte(`{"namespace":`)
	if got, err := s.GetBuild(t.Context(), "team", "b"); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %+v, %v", got, err)
	}
	require.NoError(t, s.PutBuild(t.Context(), finished("b")))
	if got, err := s.GetBuild(t.Context(), "team", "b"); err != nil || !got.Equal(finished("b")) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNoFlippedBitOfARecordIsRead(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	require.NoError(t, s.PutBuild(t.Context(), finished("b")))
	content := f.content["v1/team/b/build.json"]
	for bit := range 8 * len(content) {
		content[bit/8] ^= 1 << (bit % 8)
		if got, err := s.GetBuild(t.Context(), "team", "b"); !errors.Is(err, ErrDamaged) && (err != nil || !got.Equal(finished("b"))) {
			t.Errorf("bit %d: got %q, %v", bit, content, err)
		}
		content[bit/8] ^= 1 << (bit % 8)
	}
}

func TestAttemptsAreInOrder(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		if got, err := s.Attempts(t.Context(), "team", "b"); len(got) != 0 || err != nil {
			t.Errorf("of nothing: %v, %v", got, err)
		}
		require.NoError(t, s.PutBuild(t.Context(), finished("b")))
		for _, a := range []Attempt{
			{"team", "b", 10, "p"}, {"team", "b", 2, "q"}, {"team", "b", 2, "p-1-x"}, {"team", "b", 0, "p"},
			{"team", "b-2", 1, "of-another-build"}, {"team-b", "b", 1, "of-another-namespace"},
		} {
			w := require.Value(s.Writer(t.Context(), a, Limit{}))(t)
			write(t, w, []byte("x"))
			seal(t, w, Seal{})
		}
		got := require.Value(s.Attempts(t.Context(), "team", "b"))(t)
		if fmt.Sprint(got) != "[team/b/0-p team/b/2-p-1-x team/b/2-q team/b/10-p]" {
			t.Errorf("got %v", got)
		}
	})
}

func TestWhatIsNoAttemptIsNone(t *testing.T) {
	f := newFake()
	s := f.open(Options{})
	for _, name := range []string{"x-p", "-1-p", "01-p", "1", "1-", "99999999999-p", "1-.p", "+1-p"} {
		f.content["v1/team/b/"+name+"/"+sealName] = []byte("{}")
	}
	if got, err := s.Attempts(t.Context(), "team", "b"); len(got) != 0 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
