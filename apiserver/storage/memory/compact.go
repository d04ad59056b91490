// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"slices"
	"sort"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// compact drops versions that were replaced before a revision, which becomes the oldest readable revision.
func (s *store) compact(request *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	revision := request.GetRevision()
	switch {
	case revision <= s.compacted:
		return nil, rpctypes.ErrGRPCCompacted
	case revision > s.revision:
		return nil, rpctypes.ErrGRPCFutureRev
	}
	s.compacted = revision
	// A replaced version has an event that replaced it, so not all keys have to be read.
	replaced := sort.Search(len(s.log), func(i int) bool { return s.log[i].current.GetModRevision() > revision })
	for _, event := range s.log[:replaced] {
		s.trim(string(event.current.GetKey()), revision)
	}
	// The events of the revision itself stay, as in etcd: a watch may begin there.
	old := sort.Search(len(s.log), func(i int) bool { return s.log[i].current.GetModRevision() >= revision })
	s.log = slices.Clone(s.log[old:]) // the old array is freed
	for i := 0; i < len(s.log) && s.log[i].current.GetModRevision() == revision; i++ {
		s.log[i].previous = nil // it was compacted
	}
	s.oldestEvent = max(s.oldestEvent, revision)
	return &pb.CompactionResponse{Header: s.header()}, nil
}

// trim drops the versions of a key that cannot be read any more, and the key if it has no versions left.
func (s *store) trim(key string, revision int64) {
	found, ok := s.keys.Get(&history{key: key})
	if !ok {
		return // trimmed for a later event
	}
	keep := 0
	for keep+1 < len(found.versions) && found.versions[keep+1].GetModRevision() <= revision {
		keep++
	}
	if version := found.versions[keep]; deleted(version) && version.GetModRevision() <= revision {
		keep++
	}
	for _, version := range found.versions[:keep] {
		s.bytes -= size(version)
	}
	if keep == len(found.versions) {
		s.keys.Delete(found)
		return
	}
	found.versions = slices.Clone(found.versions[keep:])
}
