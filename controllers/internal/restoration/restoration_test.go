// SPDX-License-Identifier: Apache-2.0

package restoration

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestAProcessEndsWhenResourceVersionsGoBack(t *testing.T) {
	unavailable := errors.New("unavailable")
	for name, c := range map[string]struct {
		versions []int64 // 0 for an API that does not answer
		want     string
	}{
		"they grow":                       {[]int64{5, 5, 7}, ""},
		"the API is unavailable":          {[]int64{5, 0, 7}, ""},
		"they go back":                    {[]int64{5, 7, 6}, "was 7 and is 6"},
		"they go back during an outage":   {[]int64{7, 0, 6}, "was 7 and is 6"},
		"they go back and exceed it then": {[]int64{7, 8, 6, 9}, "was 8 and is 6"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ticks := make(chan time.Time)
			read := 0
			g := &guard{ticks: ticks, stop: func() {}, version: func(context.Context) (int64, error) {
				read++
				if c.versions[read-1] == 0 {
					return 0, unavailable
				}
				return c.versions[read-1], nil
			}}
			ended := make(chan error, 1)
			go func() { ended <- g.Start(ctx) }()
			for range c.versions {
				select {
				case ticks <- time.Time{}:
					continue
				case err := <-ended:
					ended <- err
				}
				break
			}
			if c.want == "" {
				cancel()
			}
			err := <-ended
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAProcessEndsWhenAnObjectGoesBack(t *testing.T) {
	image := func(version string) *v1alpha1.Image {
		return &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian", ResourceVersion: version}}
	}
	g := &guard{stop: func() {}, wentBack: make(chan string, 1)}
	g.observeChange(image("7"), image("7"))
	g.observeChange(image("7"), image("8"))
	if len(g.wentBack) > 0 {
		t.Fatal("a changed object is mistaken for a restored object")
	}
	for range 3 {
		g.observeChange(image("8"), image("7"))
	}
	if err := g.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "team/debian went from resource version 8 to 7") {
		t.Errorf("got %v", err)
	}
}
