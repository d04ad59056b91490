// SPDX-License-Identifier: Apache-2.0

package memory

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// transact executes one of two operations, depending on a comparison.
func (s *store) transact(request *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := checkTransaction(request); err != nil {
		return nil, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	operations, response := request.GetSuccess(), &pb.TxnResponse{Succeeded: true}
	for _, comparison := range request.GetCompare() {
		if !holds(comparison, s.current(comparison.GetKey())) {
			operations, response.Succeeded = request.GetFailure(), false
		}
	}
	for _, operation := range operations {
		answer, err := s.operate(operation)
		if err != nil {
			return nil, err
		}
		response.Responses = append(response.Responses, answer)
	}
	response.Header = s.header()
	return response, nil
}

func (s *store) operate(operation *pb.RequestOp) (*pb.ResponseOp, error) {
	switch request := operation.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		if err := s.checkRevision(request.RequestRange.GetRevision()); err != nil {
			return nil, err
		}
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: s.readLocked(request.RequestRange)}}, nil
	case *pb.RequestOp_RequestPut:
		put := request.RequestPut
		if id := put.GetLease(); id != 0 && s.leases[id] == nil {
			return nil, rpctypes.ErrGRPCLeaseNotFound
		}
		// The version counts from 1; commit knows how far.
		if err := s.commit([]*mvccpb.KeyValue{{Key: put.GetKey(), Value: put.GetValue(), Lease: put.GetLease(), Version: 1}}); err != nil {
			return nil, notStored(err)
		}
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{Header: s.header()}}}, nil
	default:
		key := operation.GetRequestDeleteRange().GetKey()
		answer := &pb.DeleteRangeResponse{}
		if s.current(key) != nil {
			if err := s.commit([]*mvccpb.KeyValue{{Key: key}}); err != nil {
				return nil, notStored(err)
			}
			answer.Deleted = 1
		}
		answer.Header = s.header()
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: answer}}, nil
	}
}

// holds reports whether a comparison is true of a key's current version, which is nil if there is none.
func holds(comparison *pb.Compare, version *mvccpb.KeyValue) bool {
	if comparison.GetTarget() == pb.Compare_VERSION {
		return version.GetVersion() == comparison.GetVersion()
	}
	return version.GetModRevision() == comparison.GetModRevision()
}
