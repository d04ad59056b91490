// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"errors"
	"strings"
	"syscall"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// unimplemented is the answer to requests that no API server makes.
func unimplemented(what string) error {
	return status.Errorf(codes.Unimplemented, "the in-process storage does not have %s", what)
}

// notStored is the answer to a write that the journal refused. A full disk is answered as a full etcd is.
func notStored(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return rpctypes.ErrGRPCNoSpace
	}
	return status.Errorf(codes.Internal, "store: %v", err)
}

func checkTransaction(request *pb.TxnRequest) error {
	if max(len(request.GetCompare()), len(request.GetSuccess()), len(request.GetFailure())) > maxOperations {
		return rpctypes.ErrGRPCTooManyOps
	}
	for _, comparison := range request.GetCompare() {
		if len(comparison.GetKey()) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
		if len(comparison.GetRangeEnd()) > 0 || comparison.GetTarget() == pb.Compare_LEASE {
			return unimplemented("a comparison of ranges or leases")
		}
	}
	for _, operations := range [][]*pb.RequestOp{request.GetSuccess(), request.GetFailure()} {
		for _, operation := range operations {
			if err := checkOperation(operation); err != nil {
				return err
			}
		}
		if err := checkOverlaps(operations); err != nil {
			return err
		}
	}
	return nil
}

func checkOperation(operation *pb.RequestOp) error {
	switch request := operation.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return checkRange(request.RequestRange)
	case *pb.RequestOp_RequestPut:
		return checkPut(request.RequestPut)
	case *pb.RequestOp_RequestDeleteRange:
		if len(request.RequestDeleteRange.GetKey()) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
		return nil
	case *pb.RequestOp_RequestTxn:
		return unimplemented("a transaction in a transaction")
	default:
		return rpctypes.ErrGRPCKeyNotFound // what etcd says to an empty operation
	}
}

func checkPut(request *pb.PutRequest) error {
	if len(request.GetKey()) == 0 {
		return rpctypes.ErrGRPCEmptyKey
	}
	if request.GetIgnoreLease() || request.GetIgnoreValue() {
		return unimplemented("a put that keeps the value or the lease")
	}
	return nil
}

// checkOverlaps refuses operations that would depend on each other, because a key has one version per revision.
func checkOverlaps(operations []*pb.RequestOp) error {
	puts := map[string]bool{}
	for _, operation := range operations {
		if request := operation.GetRequestPut(); request != nil {
			key := string(request.GetKey())
			if puts[key] {
				return rpctypes.ErrGRPCDuplicateKey
			}
			puts[key] = true
		}
	}
	ranges, deletions := 0, 0
	for _, operation := range operations {
		if operation.GetRequestRange() != nil {
			ranges++
		}
		request := operation.GetRequestDeleteRange()
		if request == nil {
			continue
		}
		deletions++
		for key := range puts {
			if inRange(key, string(request.GetKey()), string(request.GetRangeEnd())) {
				return rpctypes.ErrGRPCDuplicateKey
			}
		}
	}
	if deletions > 1 || ranges > 0 && len(puts)+deletions > 0 {
		return unimplemented("a transaction that deletes twice, or reads what it writes")
	}
	return nil
}

// inRange reports whether a key is in [first, end), with the ends that ascend knows.
func inRange(key, first, end string) bool {
	if end == "" {
		return key == first
	}
	return strings.Compare(key, first) >= 0 && (end == "\x00" || key < end)
}
