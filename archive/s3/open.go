// SPDX-License-Identifier: Apache-2.0

package s3

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"
)

const (
	// defaultAttempts is how often a request is sent at most.
	defaultAttempts = 3
	// idleConnections are kept for the next requests.
	idleConnections = 10
	// defaultRegion is what S3-compatible servers expect.
	defaultRegion = "us-east-1"
	// maxRefusal is how much of the text of an error is read, in bytes.
	maxRefusal = 64 << 10
)

var (
	regionName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)
	hostBucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`)
)

// Open opens the bucket of a URL, s3://BUCKET. It sends no request. The parameters are:
//
//	region                        of the bucket
//	endpoint                      https://HOST or http://HOST of another server, for which dualstack and fips have no effect
//	use_path_style=true           the bucket is in the path instead of the host
//	profile                       of the shared files, which takes precedence over the environment
//	role                          the ARN of a role that is assumed
//	prefix                        of all keys
//	ssetype, kmskeyid             encryption of new objects by the server
//	dualstack, fips               endpoints of AWS
//	response_checksum_validation  when_supported (the default) or when_required, which validates no checksum
//
// Errors have no values of the URL, except the bucket.
func Open(u *url.URL) (*Bucket, error) { return open(u, time.Now) }

// open is Open with a clock for when credentials end.
func open(u *url.URL, now func() time.Time) (*Bucket, error) {
	p := parameters{values: u.Query()}
	named, role := p.take("profile"), p.take("role")
	b := &Bucket{name: u.Host, prefix: p.take("prefix"), encryption: p.encryption()}
	region, endpoint, inPath := p.take("region"), p.take("endpoint"), p.isSet("use_path_style")
	aws := aws{dualStack: p.isSet("dualstack"), fips: p.isSet("fips")}
	validation := p.oneOf("response_checksum_validation", "when_supported", "when_required")
	if role != "" && !strings.HasPrefix(role, "arn:") {
		p.fail("parameter role is not the ARN of a role, arn:…")
	}
	if err := p.finish(); err != nil {
		return nil, err
	}

	if err := s3utils.CheckValidBucketName(b.name); err != nil {
		return nil, fmt.Errorf("use the bucket %s: %w", b.name, err)
	}
	files, err := readFiles(named)
	if err != nil {
		return nil, err
	}
	b.validate = cmp.Or(validation, strings.ToLower(files.setting("AWS_RESPONSE_CHECKSUM_VALIDATION", "response_checksum_validation"))) != "when_required"
	aws.region = cmp.Or(region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), files.profile["region"])
	if aws.region == "aws-global" {
		aws.region = defaultRegion
	}
	aws.dualStack = aws.dualStack || files.isSet("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
	aws.fips = aws.fips || files.isSet("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
	address, err := aws.address(cmp.Or(endpoint, files.endpoint("S3")))
	if err != nil {
		return nil, err
	}
	aws.region = cmp.Or(aws.region, defaultRegion)
	b.region = aws.region
	if b.transport, err = newTransport(files.setting("AWS_CA_BUNDLE", "ca_bundle")); err != nil {
		return nil, err
	}
	found := credentials.New(&chain{
		Expiry: credentials.Expiry{CurrentTime: now}, files: files, named: named != "", role: role, aws: aws,
		client: &http.Client{Transport: b.transport, CheckRedirect: noRedirect},
	})
	attempts, _ := strconv.Atoi(files.setting("AWS_MAX_ATTEMPTS", "max_attempts"))
	lookup, hasDots := minio.BucketLookupDNS, strings.Contains(b.name, ".")
	if inPath || !hostBucket.MatchString(b.name) || hasDots && address.Scheme == "https" || net.ParseIP(address.Hostname()) != nil {
		lookup = minio.BucketLookupPath // also for names that a host or its certificate cannot have
	}
	b.client, err = minio.NewCore(address.Host, &minio.Options{
		Creds: found, Secure: address.Scheme == "https", Region: b.region, BucketLookup: lookup,
		MaxRetries: cmp.Or(max(attempts, 0), defaultAttempts), Transport: &transport{b.transport, found, strings.TrimSuffix(address.Path, "/"), b.region},
	})
	if err != nil {
		return nil, fmt.Errorf("use the endpoint %s: %w", address.Host, err)
	}
	b.client.SetS3EnableDualstack(aws.dualStack)
	if !hasDots {
		b.client.SetS3TransferAccelerate(address.Host) // or the client would replace an endpoint of AWS by the one in its own table
	}
	return b, nil
}

// noRedirect makes a client return redirects, so that it sends tokens to no other host.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// parameters of a URL. The first error is kept for finish.
type parameters struct {
	values url.Values
	taken  []string
	err    error
}

func (p *parameters) fail(format string, values ...any) {
	p.err = cmp.Or(p.err, fmt.Errorf(format, values...))
}

// finish returns the first error, which may be that a parameter is left.
func (p *parameters) finish() error {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		p.fail("unknown query parameter %q: allowed are %s", name, strings.Join(p.taken, ", "))
	}
	return p.err
}

// take returns the value of a parameter, or "".
func (p *parameters) take(name string) string {
	value := p.values.Get(name)
	p.values.Del(name)
	p.taken = append(p.taken, name)
	return value
}

func (p *parameters) isSet(name string) bool {
	set, err := strconv.ParseBool(cmp.Or(p.take(name), "false"))
	if err != nil {
		p.fail("parameter %s is not true or false", name)
	}
	return set
}

// oneOf returns the value of a parameter as it is in the list, or "".
func (p *parameters) oneOf(name string, allowed ...string) string {
	value := p.take(name)
	for _, known := range allowed {
		if strings.EqualFold(known, value) {
			return known
		}
	}
	if value != "" {
		p.fail("parameter %s is not %s", name, strings.Join(allowed, " or "))
	}
	return ""
}

// encryption returns the headers that encrypt new objects.
func (p *parameters) encryption() map[string]string {
	method, key := p.oneOf("ssetype", "AES256", "aws:fsx", "aws:kms", "aws:kms:dsse"), p.take("kmskeyid")
	headers := map[string]string{}
	if key != "" {
		headers["X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"], method = key, cmp.Or(method, "aws:kms")
	}
	if method != "" {
		headers["X-Amz-Server-Side-Encryption"] = method
	}
	return headers
}

// aws tells which endpoints of AWS are used.
type aws struct {
	region          string
	dualStack, fips bool
}

// domains of the parts of AWS that are separate from the others, by the beginning of the names of their regions.
var domains = map[string]string{
	"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov", "eu-isoe-": "cloud.adc-e.uk", "us-isof-": "csp.hci.ic.gov",
}

// address returns the address of a server, or of S3 if there is none.
func (a aws) address(endpoint string) (*url.URL, error) {
	switch {
	case endpoint != "":
	case a.region == "":
		return nil, errors.New("set the parameter region, such as region=eu-central-1, or AWS_REGION")
	case !regionName.MatchString(a.region):
		return nil, errors.New("the region is not a name such as eu-central-1")
	default:
		endpoint = a.endpoint("s3")
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("the endpoint is not https://HOST or http://HOST: credentials and a query cannot be in it")
	}
	return u, nil
}

// endpoint returns the address of a service of AWS.
func (a aws) endpoint(service string) string {
	host, domain := service, "amazonaws.com"
	for prefix, other := range domains {
		if strings.HasPrefix(a.region, prefix) {
			domain = other
		}
	}
	if a.fips {
		host += "-fips"
	}
	if a.dualStack && service == "s3" {
		host += ".dualstack"
	}
	return "https://" + host + "." + a.region + "." + domain
}

// newTransport returns a transport that trusts the authorities of a file, or those of the system.
func newTransport(authorities string) (*http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // the size of an object is that of its content
	transport.MaxIdleConnsPerHost = idleConnections
	if authorities != "" {
		content, err := os.ReadFile(authorities)
		if err != nil {
			return nil, fmt.Errorf("read AWS_CA_BUNDLE: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(content) {
			return nil, errors.New("AWS_CA_BUNDLE has no certificates")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return transport, nil
}

// transport does what the client cannot. It reaches an endpoint below a path. It fetches new credentials for the next attempt when the server
// refuses them as expired.
type transport struct {
	http.RoundTripper
	credentials  *credentials.Credentials
	path, region string
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.path != "" {
		var err error
		if request, err = t.below(request); err != nil {
			return nil, err
		}
	}
	response, err := t.RoundTripper.RoundTrip(request)
	if err != nil || response.StatusCode/100 != 4 {
		return response, err
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	_ = response.Body.Close()
	if err != nil {
		return nil, err // or the client would take a part of the text for another refusal
	}
	response.Body = io.NopCloser(bytes.NewReader(content))
	if bytes.Contains(content, []byte("<Code>ExpiredToken")) {
		t.credentials.Expire()
	}
	return response, nil
}

// below returns a request for the same below the path of the endpoint, which the signature covers.
func (t *transport) below(request *http.Request) (*http.Request, error) {
	request = request.Clone(request.Context())
	if request.URL.RawPath != "" {
		request.URL.RawPath = t.path + request.URL.RawPath
	}
	request.URL.Path = t.path + request.URL.Path
	c, err := t.credentials.GetWithContext(&credentials.CredContext{Context: request.Context()})
	if err != nil {
		return nil, err
	}
	return signer.SignV4(*request, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, t.region), nil
}
