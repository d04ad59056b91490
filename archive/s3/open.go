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

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"
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

// Open opens the bucket of a URL, s3://BUCKET. It sends no request. The parameters are those that gocloud.dev has for S3:
//
//	region                        of the bucket
//	endpoint                      https://HOST or http://HOST of another server, for which dualstack, fips and disable_https have no effect
//	use_path_style=true           the bucket is in the path instead of the host; also s3ForcePathStyle and hostname_immutable
//	profile                       of the shared files, which takes precedence over the environment
//	role                          the ARN of a role that is assumed
//	anonymous=true                requests have no signature
//	prefix                        of all keys
//	ssetype, kmskeyid             encryption of new objects by the server
//	dualstack, fips, accelerate   endpoints of AWS
//	disable_https=true            http for endpoints of AWS
//	response_checksum_validation  when_supported (the default) or when_required, which validates no checksum
//	request_checksum_calculation  has no effect, because every request has a checksum that every server supports
//
// Errors have no values of the URL, except the bucket.
func Open(u *url.URL) (*Bucket, error) {
	p := parameters{values: u.Query()}
	named, role, anonymous := p.take("profile"), p.take("role"), p.isSet("anonymous")
	b := &Bucket{name: u.Host, prefix: p.take("prefix"), encryption: p.encryption()}
	region, endpoint := p.take("region"), p.take("endpoint")
	aws := aws{dualStack: p.isSet("dualstack"), fips: p.isSet("fips"), accelerate: p.isSet("accelerate"), plain: p.isSet("disable_https")}
	inPath := slices.Contains([]bool{p.isSet("use_path_style"), p.isSet("s3ForcePathStyle"), p.isSet("hostname_immutable") && endpoint != ""}, true)
	p.oneOf("request_checksum_calculation", "when_supported", "when_required")
	validation := p.oneOf("response_checksum_validation", "when_supported", "when_required")
	p.take("awssdk")
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
	b.region = cmp.Or(aws.region, defaultRegion)
	endpoint = cmp.Or(endpoint, files.endpoint("S3"))
	address, err := aws.address(endpoint)
	if err != nil {
		return nil, err
	}
	if b.transport, err = newTransport(files.setting("AWS_CA_BUNDLE", "ca_bundle")); err != nil {
		return nil, err
	}
	found := credentials.New(&chain{files: files, named: named != "", role: role, aws: aws, client: &http.Client{Transport: b.transport}})
	if anonymous {
		found = credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
	}
	attempts, _ := strconv.Atoi(files.setting("AWS_MAX_ATTEMPTS", "max_attempts"))
	lookup, hasDots := minio.BucketLookupDNS, strings.Contains(b.name, ".")
	if inPath || !hostBucket.MatchString(b.name) || hasDots && (address.Scheme == "https" || endpoint == "") || net.ParseIP(address.Hostname()) != nil {
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
	if aws.accelerate || !hasDots {
		b.client.SetS3TransferAccelerate(address.Host) // or the client would replace an endpoint of AWS by the one in its own table
	}
	return b, nil
}

// parameters of a URL. The first error is kept for finish.
type parameters struct {
	values url.Values
	err    error
}

func (p *parameters) fail(format string, values ...any) {
	p.err = cmp.Or(p.err, fmt.Errorf(format, values...))
}

// finish returns the first error, which may be that a parameter is left.
func (p *parameters) finish() error {
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if name == "rate_limiter_capacity" {
			p.fail("remove the parameter rate_limiter_capacity: each request is sent at most %d times, which AWS_MAX_ATTEMPTS sets", defaultAttempts)
		}
		p.fail("unknown query parameter %q", name)
	}
	return p.err
}

// take returns the value of a parameter, or "".
func (p *parameters) take(name string) string {
	value := p.values.Get(name)
	p.values.Del(name)
	return value
}

func (p *parameters) isSet(name string) bool {
	value := p.take(name)
	set, err := strconv.ParseBool(cmp.Or(value, "false"))
	if err != nil {
		p.fail("parameter %s is not true or false", name)
	}
	return set
}

// oneOf returns the value of a parameter as it is in the list, or "".
func (p *parameters) oneOf(name string, allowed ...string) string {
	value := p.take(name)
	i := slices.IndexFunc(allowed, func(s string) bool { return strings.EqualFold(s, value) })
	if value == "" || i < 0 {
		if value != "" {
			p.fail("parameter %s is not %s", name, strings.Join(allowed, " or "))
		}
		return ""
	}
	return allowed[i]
}

// encryption returns the headers that encrypt new objects, or nil.
func (p *parameters) encryption() encrypt.ServerSide {
	method, key := p.oneOf("ssetype", "AES256", "aws:fsx", "aws:kms", "aws:kms:dsse"), p.take("kmskeyid")
	if method == "" && key == "" {
		return nil
	}
	headers := encryption{"X-Amz-Server-Side-Encryption": cmp.Or(method, "aws:kms")}
	if key != "" {
		headers["X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"] = key
	}
	return headers
}

// encryption is headers of a new object.
type encryption map[string]string

// Type implements encrypt.ServerSide. The client does not use it.
func (encryption) Type() encrypt.Type { return encrypt.KMS }

// Marshal implements encrypt.ServerSide.
func (e encryption) Marshal(headers http.Header) {
	for name, value := range e {
		headers.Set(name, value)
	}
}

// aws tells which endpoints of AWS are used.
type aws struct {
	region                             string
	dualStack, fips, accelerate, plain bool
}

// domains of the parts of AWS that are separate from the others, by the beginning of the names of their regions.
var domains = map[string]string{
	"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov", "eu-isoe-": "cloud.adc-e.uk", "us-isof-": "csp.hci.ic.gov",
}

// address returns the address of a server, or of S3 if there is none.
func (a *aws) address(endpoint string) (*url.URL, error) {
	switch {
	case endpoint != "" && a.accelerate:
		return nil, errors.New("remove the parameter accelerate or the endpoint: only S3 of AWS has transfer acceleration")
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
func (a *aws) endpoint(service string) string {
	host, domain := service, "amazonaws.com"
	for prefix, other := range domains {
		if strings.HasPrefix(a.region, prefix) {
			domain = other
		}
	}
	if a.fips {
		host += "-fips"
	}
	if a.accelerate && service == "s3" {
		host += "-accelerate"
	}
	if a.dualStack && service == "s3" {
		host += ".dualstack"
	}
	if !a.accelerate || service != "s3" {
		host += "." + a.region
	}
	if a.plain && service == "s3" {
		return "http://" + host + "." + domain
	}
	return "https://" + host + "." + domain
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
	response.Body = io.NopCloser(bytes.NewReader(content))
	if bytes.Contains(content, []byte("<Code>ExpiredToken")) {
		t.credentials.Expire()
	}
	return response, err
}

// below returns a request for the same below the path of the endpoint, which the signature covers.
func (t *transport) below(request *http.Request) (*http.Request, error) {
	request = request.Clone(request.Context())
	if request.URL.RawPath != "" {
		request.URL.RawPath = t.path + request.URL.RawPath
	}
	request.URL.Path = t.path + request.URL.Path
	if request.Header.Get("Authorization") == "" {
		return request, nil
	}
	c, err := t.credentials.GetWithContext(&credentials.CredContext{Context: request.Context()})
	if err != nil {
		return nil, err
	}
	return signer.SignV4(*request, c.AccessKeyID, c.SecretAccessKey, c.SessionToken, t.region), nil
}
