// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"errors"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// version is the version of etcd whose protocol is implemented. Clients check it for reliable progress notifications.
const version = "3.7.0"

// keyValues is etcd's service KV.
type keyValues struct {
	pb.UnimplementedKVServer
	store *store
}

// Range reads keys.
func (k keyValues) Range(_ context.Context, request *pb.RangeRequest) (*pb.RangeResponse, error) {
	return k.store.read(request)
}

// rangeChunk is about how many bytes of a streamed range are sent at once.
const rangeChunk = 1 << 20

// RangeStream reads keys of one revision, and sends them in pieces.
func (k keyValues) RangeStream(request *pb.RangeRequest, stream grpc.ServerStreamingServer[pb.RangeStreamResponse]) error {
	response, err := k.store.read(request)
	if err != nil {
		return err
	}
	left := response.GetKvs()
	for len(left) > 0 {
		count, bytes := 0, int64(0)
		for count < len(left) && bytes < rangeChunk {
			bytes += size(left[count])
			count++
		}
		if count == len(left) {
			break
		}
		if err := stream.Send(&pb.RangeStreamResponse{RangeResponse: &pb.RangeResponse{Kvs: left[:count]}}); err != nil {
			return err
		}
		left = left[count:]
	}
	response.Kvs = left
	return stream.Send(&pb.RangeStreamResponse{RangeResponse: response})
}

// Put writes a key.
func (k keyValues) Put(_ context.Context, request *pb.PutRequest) (*pb.PutResponse, error) {
	response, err := k.single(&pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: request}})
	return response.GetResponsePut(), err
}

// DeleteRange deletes keys.
func (k keyValues) DeleteRange(_ context.Context, request *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	response, err := k.single(&pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: request}})
	return response.GetResponseDeleteRange(), err
}

func (k keyValues) single(operation *pb.RequestOp) (*pb.ResponseOp, error) {
	response, err := k.store.transact(&pb.TxnRequest{Success: []*pb.RequestOp{operation}})
	if err != nil {
		return nil, err
	}
	return response.GetResponses()[0], nil
}

// Txn executes operations in one revision.
func (k keyValues) Txn(_ context.Context, request *pb.TxnRequest) (*pb.TxnResponse, error) {
	return k.store.transact(request)
}

// Compact drops old versions.
func (k keyValues) Compact(_ context.Context, request *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	return k.store.compact(request)
}

// watches is etcd's Watch service.
type watches struct {
	pb.UnimplementedWatchServer
	store *store
}

// Watch serves the watches of a client.
func (w watches) Watch(stream grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]) error {
	return w.store.serveWatches(stream)
}

// leases is etcd's Lease service.
type leases struct {
	pb.UnimplementedLeaseServer
	store *store
}

// LeaseGrant begins a lease.
func (l leases) LeaseGrant(_ context.Context, request *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	return l.store.grant(request.GetID(), request.GetTTL())
}

// LeaseRevoke ends a lease.
func (l leases) LeaseRevoke(_ context.Context, request *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error) {
	return l.store.revoke(request.GetID())
}

// LeaseKeepAlive renews leases.
func (l leases) LeaseKeepAlive(stream grpc.BidiStreamingServer[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse]) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(l.store.renew(request.GetID())); err != nil {
			return err
		}
	}
}

// maintenance is etcd's service Maintenance.
type maintenance struct {
	pb.UnimplementedMaintenanceServer
	store *store
}

// Status returns the version and size of the storage.
func (m maintenance) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	m.store.mutex.RLock()
	defer m.store.mutex.RUnlock()
	return &pb.StatusResponse{Header: m.store.header(), Version: version, DbSize: m.store.bytes, DbSizeInUse: m.store.bytes}, nil
}

// refuseTooLarge refuses requests that etcd refuses because of their size.
func refuseTooLarge(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if message, ok := request.(proto.Message); ok && proto.Size(message) > maxRequest {
		return nil, rpctypes.ErrGRPCRequestTooLarge
	}
	return handle(ctx, request)
}
