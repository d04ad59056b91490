// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"errors"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

const (
	// progressInterval is the interval of progress notifications for an idle watch that requested them.
	progressInterval = time.Minute
	// everyWatch is an ID that no watch has: a progress notification with this ID is for all watches of a client.
	everyWatch = -1
)

// serveWatches serves all watches of one client. One goroutine receives and one sends, so that responses are in order.
func (s *store) serveWatches(stream grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]) error {
	requests := make(chan *pb.WatchRequest)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			request, err := stream.Recv()
			if err != nil {
				return
			}
			select {
			case requests <- request:
			case <-stream.Context().Done():
				return
			}
		}
	}()
	wake := make(chan struct{}, 1)
	c := &watchClient{store: s, stream: stream, wake: wake, watchers: map[int64]*watcher{}}
	defer c.end()
	ticker := s.clock.NewTicker(progressInterval)
	defer ticker.Stop()
	for {
		var err error
		select {
		case request := <-requests:
			err = c.handle(request)
		case <-wake:
			_, err = c.tell()
		case <-ticker.C():
			err = c.reportIdle()
		case <-gone: // the client has no more requests
			return nil
		case <-stream.Context().Done():
			return rpctypes.ErrGRPCWatchCanceled
		}
		if err != nil {
			return err
		}
	}
}

// watchClient are the watches that share a stream.
type watchClient struct {
	store    *store
	stream   grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]
	wake     chan struct{}
	watchers map[int64]*watcher
	next     int64
}

func (c *watchClient) end() {
	for _, w := range c.watchers {
		c.store.unwatch(w)
	}
}

func (c *watchClient) handle(request *pb.WatchRequest) error {
	switch union := request.GetRequestUnion().(type) {
	case *pb.WatchRequest_CreateRequest:
		return c.create(union.CreateRequest)
	case *pb.WatchRequest_CancelRequest:
		return c.cancel(union.CancelRequest.GetWatchId())
	case *pb.WatchRequest_ProgressRequest:
		return c.report()
	}
	return nil
}

func (c *watchClient) create(request *pb.WatchCreateRequest) error {
	if len(request.GetFilters()) > 0 {
		return unimplemented("a filtered watch")
	}
	id := request.GetWatchId()
	if id == 0 {
		for c.watchers[c.next] != nil {
			c.next++
		}
		id = c.next
		c.next++
	}
	w := &watcher{
		id: id, key: request.GetKey(), end: request.GetRangeEnd(), start: request.GetStartRevision(),
		previous: request.GetPrevKv(), progress: request.GetProgressNotify(), idle: true, wake: c.wake,
	}
	if len(w.key) == 0 {
		w.key = []byte{0} // the smallest key
	}
	err := rpctypes.ErrCompacted // what etcd says to a revision below 0
	var revision int64
	if w.start >= 0 {
		err = errors.New("mvcc: duplicate watch ID provided on the WatchStream")
		if c.watchers[id] == nil {
			revision, err = c.store.watch(w)
		}
	}
	response := &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: revision}, WatchId: id, Created: true}
	if err != nil {
		response.WatchId, response.Canceled, response.CancelReason = everyWatch, true, err.Error()
		return c.stream.Send(response)
	}
	c.watchers[id] = w
	return c.stream.Send(response)
}

func (c *watchClient) cancel(id int64) error {
	w := c.watchers[id]
	if w == nil {
		return nil
	}
	delete(c.watchers, id)
	c.store.unwatch(w)
	return c.stream.Send(&pb.WatchResponse{Header: c.header(), WatchId: id, Canceled: true})
}

// tell sends the next responses of the watches, and returns the revision up to which they are complete. It is 0 if there are
// more responses.
func (c *watchClient) tell() (revision int64, err error) {
	revision, all := c.store.collect(c.watchers)
	for id, found := range all {
		w := c.watchers[id]
		if found.compacted != 0 {
			delete(c.watchers, id)
			c.store.unwatch(w)
		} else if len(found.events) == 0 {
			continue
		}
		if found.more {
			revision = 0
		}
		w.idle = false
		response := &pb.WatchResponse{
			Header:          &pb.ResponseHeader{Revision: found.revision},
			WatchId:         id,
			Events:          found.events,
			CompactRevision: found.compacted,
			Canceled:        found.compacted != 0,
		}
		if err := c.stream.Send(response); err != nil {
			return 0, err
		}
	}
	return revision, nil
}

// report sends all watches one notification of the revision up to which they are complete. If a watch has not begun yet,
// nothing is sent, as in etcd.
func (c *watchClient) report() error {
	for {
		revision, err := c.tell()
		if err != nil {
			return err
		}
		for _, w := range c.watchers {
			if revision != 0 && w.start > revision {
				return nil
			}
		}
		if revision != 0 {
			return c.stream.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{Revision: revision}, WatchId: everyWatch})
		}
	}
}

// reportIdle sends progress notifications to idle watches that requested them.
func (c *watchClient) reportIdle() error {
	revision, err := c.tell()
	if err != nil {
		return err
	}
	for id, w := range c.watchers {
		idle := w.idle
		w.idle = true
		if !w.progress || !idle || w.start > revision {
			continue
		}
		if err := c.stream.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{Revision: revision}, WatchId: id}); err != nil {
			return err
		}
	}
	return nil
}

func (c *watchClient) header() *pb.ResponseHeader {
	c.store.mutex.RLock()
	defer c.store.mutex.RUnlock()
	return c.store.header()
}
