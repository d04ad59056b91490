// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// lookupTimeout is how long the name of a target is looked up that a proxy reaches: some networks drop such questions.
const lookupTimeout = 5 * time.Second

// A Route sends requests to servers that users name, directly or by the proxy that the environment names. Addresses of the servers are checked,
// also of redirects, and the address of the proxy is not: it is wherever the operator runs it.
//
// A proxy looks the name up again, and can get another address. So the check is one of the process's own view, and a name that only the proxy can
// resolve is not checked: the proxy has to refuse what nobody may reach through it.
type Route struct {
	direct, proxied *http.Transport
	proxy           func(*url.URL) (*url.URL, error)
	check           func(netip.Addr) error
	checked         sync.Map // hosts that a proxy may reach
}

// NewRoute returns a Route. template has everything but Proxy and DialContext. check refuses addresses, and wrap adds limits to connections.
func NewRoute(template *http.Transport, check func(netip.Addr) error, wrap func(net.Conn) net.Conn) *Route {
	r := &Route{direct: template.Clone(), proxied: template.Clone(), proxy: httpproxy.FromEnvironment().ProxyFunc(), check: check}
	dial := func(dialer *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return wrap(dialed), nil
		}
	}
	r.direct.Proxy = nil
	r.direct.DialContext = dial(&net.Dialer{Timeout: dialTimeout, Control: Control(check)})
	r.proxied.Proxy = func(req *http.Request) (*url.URL, error) { return r.proxy(req.URL) }
	r.proxied.DialContext = dial(&net.Dialer{Timeout: dialTimeout})
	return r
}

// Control is for a net.Dialer that checks addresses at the moment of the connection.
func Control(check func(netip.Addr) error) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		parsed, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return check(parsed.Addr())
	}
}

// RoundTrip sends a request. The error is that of the check, if it refuses an address.
func (r *Route) RoundTrip(req *http.Request) (*http.Response, error) {
	proxy, err := r.proxy(req.URL)
	switch {
	case err != nil:
		err = errors.New("the environment names a proxy that is no URL") // the URL can have credentials
	case proxy == nil:
		return r.direct.RoundTrip(req)
	default:
		err = r.checkTarget(req.Context(), req.URL.Hostname())
	}
	if err == nil {
		return r.proxied.RoundTrip(req)
	}
	if req.Body != nil {
		_ = req.Body.Close() // as every RoundTripper does
	}
	return nil, err
}

// checkTarget checks the addresses of a host that a proxy reaches.
func (r *Route) checkTarget(ctx context.Context, host string) error {
	if _, known := r.checked.Load(host); known {
		return nil
	}
	if looksNumeric(host) {
		return r.check(netip.Addr{})
	}
	limited, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(limited, "ip", host)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		addresses = nil // the proxy may resolve it
	}
	for _, address := range addresses {
		if err := r.check(address); err != nil {
			return err
		}
	}
	r.checked.Store(host, true)
	return nil
}

// looksNumeric reports whether a host is an address in a form that some proxies read and this process does not, such as 127.1 or 0x7f000001.
func looksNumeric(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.HasPrefix(last, "0x") || strings.Trim(last, "0123456789") == ""
}

// CloseIdleConnections closes the connections that no request uses.
func (r *Route) CloseIdleConnections() {
	r.direct.CloseIdleConnections()
	r.proxied.CloseIdleConnections()
}
