// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

func TestRequestsThatReadLocksAreLimited(t *testing.T) {
	l := newLimiter()
	in := func(namespace string) context.Context { return apirequest.WithNamespace(t.Context(), namespace) }
	admitted := func() int { return l.readers[share{"the server", maxReaders}] }
	var leaves []func()
	admit := func(namespace string, count int) {
		t.Helper()
		for range count {
			leaves = append(leaves, require.Value(l.admit(in(namespace)))(t))
		}
	}
	refused := func(namespace string) {
		t.Helper()
		_, err := l.admit(in(namespace))
		if seconds, again := apierrors.SuggestsClientDelay(err); !apierrors.IsTooManyRequests(err) || !again || seconds < 1 {
			t.Errorf("got %v", err)
		}
	}
	admit("a", maxReadersOfNamespace)
	refused("a")
	admit("b", maxReaders-maxReadersOfNamespace)
	refused("c")
	leaves[0]()
	leaves[0]() // of the same request
	if admitted() != maxReaders-1 {
		t.Errorf("%d requests are admitted after the end of one of %d", admitted(), maxReaders)
	}
	admit("a", 1)
	refused("c")
	for _, leave := range leaves {
		leave()
	}
	if len(l.readers) > 0 {
		t.Errorf("%v are left", l.readers)
	}
	ann := apirequest.WithUser(in("a"), &user.DefaultInfo{Name: "ann"})
	for range maxReadersOfUser {
		leaves = append(leaves, require.Value(l.admit(ann))(t))
	}
	if _, err := l.admit(apirequest.WithNamespace(ann, "b")); err == nil || !strings.Contains(err.Error(), "user ann has 4 requests for packages and vulnerabilities at the same time") {
		t.Errorf("got %v", err)
	}
	account := func(name string) context.Context {
		return apirequest.WithUser(in("c"), &user.DefaultInfo{Name: "system:serviceaccount:team:" + name})
	}
	for i := range maxReadersOfUser {
		leaves = append(leaves, require.Value(l.admit(account(fmt.Sprint(i))))(t))
	}
	if _, err := l.admit(account("another")); !apierrors.IsTooManyRequests(err) {
		t.Errorf("service accounts of a namespace: got %v", err)
	}
	admit("a", 1)
	for _, leave := range leaves {
		leave()
	}

	request, end := context.WithCancel(in("a"))
	require.NoError(t, l.serve(request, func() error {
		if len(l.turn) != cap(l.turn) {
			t.Error("others can work at the same time")
		}
		gone, leave := context.WithCancelCause(t.Context())
		reason := errors.New("the client has gone")
		leave(reason)
		if err := l.alone(gone, func() error { return nil }); !errors.Is(err, reason) {
			t.Errorf("a second request does not wait: %v", err)
		}
		return nil
	}))
	if admitted() != 1 {
		t.Errorf("%d requests are admitted while a client reads its answer", admitted())
	}
	end()
}

func TestAnswersAreKeptWithinALimit(t *testing.T) {
	l, read := newLimiter(), 0
	get := func(key string, size int) {
		t.Helper()
		value, err := remember(l, key, func() (string, int, error) { read++; return key, size, nil })
		if err != nil || value != key {
			t.Errorf("got %q, %v", value, err)
		}
	}
	get("a", maxKept/2)
	get("a", maxKept/2)
	if read != 1 {
		t.Errorf("an answer that is kept is read %d times", read)
	}
	get("b", maxKept/2)
	get("c", 1) // instead of a
	get("b", maxKept/2)
	get("too large", maxKept+1)
	if read != 4 || l.size != maxKept/2+1 || l.kept.Len() != 2 {
		t.Errorf("%d answers were read, and %d of %d bytes are kept", read, l.kept.Len(), l.size)
	}
	if _, err := remember(l, "d", func() (string, int, error) { return "", 1, fmt.Errorf("no database") }); err == nil || l.kept.Len() != 2 {
		t.Errorf("an error is kept: %v", err)
	}
	one, other := &advisories.Set{}, &advisories.Set{}
	first := l.revisionOf([]*advisories.Set{one})
	if second := l.revisionOf([]*advisories.Set{one}); second != first {
		t.Error("the same advisories have another revision")
	}
	if third := l.revisionOf([]*advisories.Set{other}); third == first {
		t.Error("other advisories have the same revision")
	}
}
