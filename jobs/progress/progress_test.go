// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// fakeServer takes down what it is sent, and when.
type fakeServer struct {
	began   time.Time
	answers []verdict // in this order; then every report is taken
	stages  []string
	at      []time.Duration
}

func (s *fakeServer) send(_ context.Context, report report) verdict {
	s.stages = append(s.stages, report.Stage)
	s.at = append(s.at, time.Since(s.began))
	if len(s.answers) == 0 {
		return verdict{}
	}
	answer := s.answers[0]
	s.answers = s.answers[1:]
	return answer
}

func (s *fakeServer) expect(t *testing.T, stages []string, at ...time.Duration) {
	t.Helper()
	if !slices.Equal(s.stages, stages) || !slices.Equal(s.at, at) {
		t.Errorf("got %v at %v, want %v at %v", s.stages, s.at, stages, at)
	}
}

// with runs a test in a bubble of its own, with a client that is closed at the end.
func with(t *testing.T, answers []verdict, run func(t *testing.T, client *Client, server *fakeServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{began: time.Now(), answers: answers}
		client := start(server.send)
		defer client.Close()
		run(t, client, server)
	})
}

// advance lets time go by and everything happen that is due then.
func advance(duration time.Duration) {
	time.Sleep(duration) // in a bubble, so it takes no time
	synctest.Wait()
}

func TestTheFirstReportIsSentAtOnceAndOfThoseThatFollowTheNewestASecondLater(t *testing.T) {
	with(t, nil, func(t *testing.T, client *Client, server *fakeServer) {
		client.Report("a", 10, "")
		advance(100 * time.Millisecond)
		client.Report("b", 20, "")
		client.Report("c", 30, "")
		advance(3 * time.Second)
		server.expect(t, []string{"a", "c"}, 0, time.Second)
		client.Report("d", 40, "")
		advance(0)
		server.expect(t, []string{"a", "c", "d"}, 0, time.Second, 3100*time.Millisecond)
	})
}

func TestCloseSendsTheLastReportAtOnce(t *testing.T) {
	with(t, nil, func(t *testing.T, client *Client, server *fakeServer) {
		client.Report("a", 10, "")
		advance(100 * time.Millisecond)
		client.Report("b", 100, "")
		client.Close()
		server.expect(t, []string{"a", "b"}, 0, 100*time.Millisecond)
		client.Report("late", 100, "")
		client.Close()
		advance(time.Minute)
		server.expect(t, []string{"a", "b"}, 0, 100*time.Millisecond)
	})
}

func TestAReportThatIsNotTakenYetIsSentAgainUnlessANewerOneIsThere(t *testing.T) {
	later := []verdict{{again: true, after: 4 * time.Second}, {again: true}}
	with(t, later, func(t *testing.T, client *Client, server *fakeServer) {
		client.Report("a", 10, "")
		advance(10 * time.Second)
		server.expect(t, []string{"a", "a", "a"}, 0, 4*time.Second, 5*time.Second)
	})
	with(t, later, func(t *testing.T, client *Client, server *fakeServer) {
		client.Report("a", 10, "")
		advance(2 * time.Second)
		client.Report("b", 20, "")
		advance(10 * time.Second)
		server.expect(t, []string{"a", "b", "b"}, 0, 4*time.Second, 5*time.Second)
	})
}

func TestNothingMoreIsSentOnceReportsAreRefused(t *testing.T) {
	with(t, []verdict{{never: true}}, func(t *testing.T, client *Client, server *fakeServer) {
		client.Report("a", 10, "")
		advance(time.Second)
		client.Report("b", 20, "")
		advance(time.Minute)
		client.Close()
		server.expect(t, []string{"a"}, 0)
	})
}

func TestCloseDoesNotWaitForAServerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := start(func(ctx context.Context, _ report) verdict {
			<-ctx.Done()
			return verdict{again: true}
		})
		client.Report("a", 10, "")
		advance(time.Second)
		closing := time.Now()
		client.Close()
		if took := time.Since(closing); took != closeLimit {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAClientThatWasToldNothingDoesNothing(t *testing.T) {
	client := New(func(string) string { return "" })
	if client != nil {
		t.Error("there is a client")
	}
	client.Report("a", 10, "")
	client.Close()
}
