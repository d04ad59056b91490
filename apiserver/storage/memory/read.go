// SPDX-License-Identifier: Apache-2.0

package memory

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// read answers a range request as of now, or of an older revision.
func (s *store) read(request *pb.RangeRequest) (*pb.RangeResponse, error) {
	if err := checkRange(request); err != nil {
		return nil, err
	}
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	if err := s.checkRevision(request.GetRevision()); err != nil {
		return nil, err
	}
	return s.readLocked(request), nil
}

func checkRange(request *pb.RangeRequest) error {
	if len(request.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	sorted := request.GetSortOrder() != pb.RangeRequest_NONE &&
		(request.GetSortOrder() != pb.RangeRequest_ASCEND || request.GetSortTarget() != pb.RangeRequest_KEY)
	filtered := request.GetMinModRevision() != 0 || request.GetMaxModRevision() != 0 ||
		request.GetMinCreateRevision() != 0 || request.GetMaxCreateRevision() != 0
	if sorted || filtered {
		return unimplemented("a range that is sorted or filtered")
	}
	return nil
}

// checkRevision reports whether a revision can be read. Zero and less mean the current one.
func (s *store) checkRevision(revision int64) error {
	switch {
	case revision > s.revision:
		return rpctypes.ErrGRPCFutureRev
	case revision > 0 && revision < s.compacted:
		return rpctypes.ErrGRPCCompacted
	}
	return nil
}

func (s *store) readLocked(request *pb.RangeRequest) *pb.RangeResponse {
	response := &pb.RangeResponse{Header: s.header()}
	revision := request.GetRevision()
	if revision <= 0 {
		revision = s.revision
	}
	s.ascend(request.GetKey(), request.GetRangeEnd(), func(found *history) bool {
		version := found.at(revision)
		if version == nil {
			return true
		}
		response.Count++
		switch {
		case request.GetCountOnly():
		case request.GetLimit() > 0 && int64(len(response.GetKvs())) == request.GetLimit():
			response.More = true
		case request.GetKeysOnly():
			response.Kvs = append(response.Kvs, withoutValue(version))
		default:
			response.Kvs = append(response.Kvs, version)
		}
		return true
	})
	return response
}

func (s *store) header() *pb.ResponseHeader { return &pb.ResponseHeader{Revision: s.revision} }

func withoutValue(version *mvccpb.KeyValue) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{
		Key:            version.GetKey(),
		CreateRevision: version.GetCreateRevision(),
		ModRevision:    version.GetModRevision(),
		Version:        version.GetVersion(),
		Lease:          version.GetLease(),
	}
}
