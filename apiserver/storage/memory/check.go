// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"errors"
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

// checkTransaction accepts transactions of one comparison, and one operation on either side.
func checkTransaction(request *pb.TxnRequest) error {
	if max(len(request.GetCompare()), len(request.GetSuccess()), len(request.GetFailure())) > 1 {
		return unimplemented("a transaction of several operations or comparisons")
	}
	for _, comparison := range request.GetCompare() {
		version := comparison.GetTarget() == pb.Compare_VERSION || comparison.GetTarget() == pb.Compare_MOD
		if !version || comparison.GetResult() != pb.Compare_EQUAL || len(comparison.GetRangeEnd()) > 0 {
			return unimplemented("a comparison of anything but one version")
		}
		if len(comparison.GetKey()) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
	}
	for _, operations := range [][]*pb.RequestOp{request.GetSuccess(), request.GetFailure()} {
		for _, operation := range operations {
			if err := checkOperation(operation); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkOperation(operation *pb.RequestOp) error {
	switch request := operation.GetRequest().(type) {
	case *pb.RequestOp_RequestRange:
		return checkRange(request.RequestRange)
	case *pb.RequestOp_RequestPut:
		if len(request.RequestPut.GetKey()) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
		if request.RequestPut.GetIgnoreLease() || request.RequestPut.GetIgnoreValue() || request.RequestPut.GetPrevKv() {
			return unimplemented("a put that keeps or returns what was there")
		}
	case *pb.RequestOp_RequestDeleteRange:
		if len(request.RequestDeleteRange.GetKey()) == 0 {
			return rpctypes.ErrGRPCEmptyKey
		}
		if len(request.RequestDeleteRange.GetRangeEnd()) > 0 || request.RequestDeleteRange.GetPrevKv() {
			return unimplemented("a deletion of a range, or that returns what was there")
		}
	default:
		return unimplemented("a transaction in a transaction")
	}
	return nil
}
