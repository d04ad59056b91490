// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"bytes"
	"cmp"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// maxOperations is how many operations a transaction can have, as in etcd.
const maxOperations = 128

// transact executes one of two lists of operations in one revision, depending on comparisons.
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
			break
		}
	}
	var changes []*mvccpb.KeyValue
	var headers []**pb.ResponseHeader
	for _, operation := range operations {
		changed, answer, header, err := s.operate(operation)
		if err != nil {
			return nil, err
		}
		changes, headers = append(changes, changed...), append(headers, header)
		response.Responses = append(response.Responses, answer)
	}
	if err := s.commit(changes); err != nil {
		return nil, notStored(err)
	}
	for _, header := range headers {
		*header = s.header()
	}
	response.Header = s.header()
	return response, nil
}

// operate executes one operation of a transaction. It returns the response, still without a header, and the changes.
func (s *store) operate(operation *pb.RequestOp) ([]*mvccpb.KeyValue, *pb.ResponseOp, **pb.ResponseHeader, error) {
	if request := operation.GetRequestRange(); request != nil {
		if err := s.checkRevision(request.GetRevision()); err != nil {
			return nil, nil, nil, err
		}
		answer := s.readLocked(request)
		return nil, &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: answer}}, &answer.Header, nil
	}
	if request := operation.GetRequestPut(); request != nil {
		change, answer, err := s.put(request)
		if err != nil {
			return nil, nil, nil, err
		}
		return []*mvccpb.KeyValue{change}, &pb.ResponseOp{Response: &pb.ResponseOp_ResponsePut{ResponsePut: answer}}, &answer.Header, nil
	}
	changes, answer := s.remove(operation.GetRequestDeleteRange())
	return changes, &pb.ResponseOp{Response: &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: answer}}, &answer.Header, nil
}

func (s *store) put(request *pb.PutRequest) (*mvccpb.KeyValue, *pb.PutResponse, error) {
	if id := request.GetLease(); id != 0 && s.leases[id] == nil {
		return nil, nil, rpctypes.ErrGRPCLeaseNotFound
	}
	answer := &pb.PutResponse{}
	if request.GetPrevKv() {
		answer.PrevKv = s.current(request.GetKey())
	}
	// The version counts from 1; commit knows how far.
	return &mvccpb.KeyValue{Key: request.GetKey(), Value: request.GetValue(), Lease: request.GetLease(), Version: 1}, answer, nil
}

func (s *store) remove(request *pb.DeleteRangeRequest) ([]*mvccpb.KeyValue, *pb.DeleteRangeResponse) {
	answer := &pb.DeleteRangeResponse{}
	var changes []*mvccpb.KeyValue
	s.ascend(request.GetKey(), request.GetRangeEnd(), func(found *history) bool {
		if version := found.at(s.revision); version != nil {
			changes = append(changes, &mvccpb.KeyValue{Key: version.GetKey()})
			answer.Deleted++
			if request.GetPrevKv() {
				answer.PrevKvs = append(answer.PrevKvs, version)
			}
		}
		return true
	})
	return changes, answer
}

// holds reports whether a comparison is true of a key's current version, which is nil if there is none.
func holds(comparison *pb.Compare, version *mvccpb.KeyValue) bool {
	var order int
	switch comparison.GetTarget() {
	case pb.Compare_VERSION:
		order = cmp.Compare(version.GetVersion(), comparison.GetVersion())
	case pb.Compare_CREATE:
		order = cmp.Compare(version.GetCreateRevision(), comparison.GetCreateRevision())
	case pb.Compare_MOD:
		order = cmp.Compare(version.GetModRevision(), comparison.GetModRevision())
	default:
		if version == nil {
			return false // no value is not the empty value
		}
		order = bytes.Compare(version.GetValue(), comparison.GetValue())
	}
	switch comparison.GetResult() {
	case pb.Compare_EQUAL:
		return order == 0
	case pb.Compare_NOT_EQUAL:
		return order != 0
	case pb.Compare_GREATER:
		return order > 0
	default:
		return order < 0
	}
}
