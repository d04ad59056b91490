// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// answerBytes is how much of a registry's answer is read for its message, and messageBytes how much of the message is kept.
	answerBytes  = 64 << 10
	messageBytes = 200
	// codeDigestInvalid is the code of an answer to a content with another digest.
	codeDigestInvalid = errcode.ErrorCodeDigestInvalid
)

// Error reports that a registry, or its configuration, failed.
type Error struct {
	// Reason is RegistryDenied, RegistryRefused or RegistryUnavailable. Another attempt can help only after the last.
	Reason v1alpha1.FailureReason
	// Status is the status of the registry's answer; 0 without an answer.
	Status int

	repository string // with the verb; empty for a Secret without credentials
	operation  string
	cause      string
	remedy     string
	patience   time.Duration // how long the outage was retried
	retryAfter time.Duration
	wrapped    error
}

// Error tells what was done where, how the registry answered, and what to do about it. It has no credentials, no tokens, and no URL
// with a query.
func (e *Error) Error() string {
	parts := slices.DeleteFunc([]string{e.repository, e.operation, e.cause}, func(part string) bool { return part == "" })
	message := strings.Join(parts, ": ")
	if e.patience > 0 {
		message += fmt.Sprintf(" (retried for %s)", e.patience.Round(time.Second))
	}
	if e.remedy != "" {
		message += "; " + e.remedy
	}
	return message
}

// Unwrap returns the cause, which may have URLs and must not be shown.
func (e *Error) Unwrap() error { return e.wrapped }

// has reports whether the registry answered with an error of this code.
func (e *Error) has(code string) bool {
	answer, ok := errors.AsType[*errcode.ErrorResponse](e.wrapped)
	return ok && slices.ContainsFunc(answer.Errors, func(e errcode.Error) bool { return e.Code == code })
}

// refusedOnWindows is WSAECONNREFUSED, the syscall.ECONNREFUSED of connections on Windows.
const refusedOnWindows = syscall.Errno(10061)

// unconnected reports whether a host refused the connection, or does not exist.
func (e *Error) unconnected() bool {
	name, ok := errors.AsType[*net.DNSError](e.wrapped)
	return errors.Is(e.wrapped, syscall.ECONNREFUSED) || errors.Is(e.wrapped, refusedOnWindows) || ok && name.IsNotFound
}

func (e *Error) retriable() bool { return e.Reason == v1alpha1.ReasonRegistryUnavailable }

// wrapError adds the operation to an error, and finds the class of an answer that oras-go did not expect.
func (c *client) wrapError(operation string, err error) error {
	if err == nil {
		return nil
	}
	if failure, ok := errors.AsType[*Error](err); ok {
		named := *failure
		if named.operation == "" {
			named.operation = operation
		}
		return &named
	}
	if ctxErr := contextError(err); ctxErr != nil {
		return fmt.Errorf("%s: %s: %w", c.verb+" "+c.repository, operation, ctxErr)
	}
	var failure *Error
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok {
		failure = c.answerError(answer)
	} else if errors.Is(err, errdef.ErrNotFound) {
		failure = c.status(http.StatusNotFound, "")
	} else { // such as another digest than that of the content
		failure = c.fault(v1alpha1.ReasonRegistryUnavailable, c.scrub(err.Error()), "", err)
	}
	failure.operation = operation
	return failure
}

func contextError(err error) error {
	for _, ctxErr := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, ctxErr) {
			return ctxErr
		}
	}
	return nil
}

func (c *client) fault(reason v1alpha1.FailureReason, cause, remedy string, err error) *Error {
	return &Error{Reason: reason, repository: c.verb + " " + c.repository, cause: cause, remedy: remedy, wrapped: err}
}

// refusal returns the error of an answer, whose body it reads and closes.
func (c *client) refusal(resp *http.Response) *Error {
	defer func() { _ = resp.Body.Close() }() // only read from
	var answer struct {
		Errors errcode.Errors `json:"errors"`
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	if err == nil {
		_ = json.Unmarshal(content, &answer) // a proxy answers with something else, which is not shown
	}
	failure := c.answerError(&errcode.ErrorResponse{Method: resp.Request.Method, URL: resp.Request.URL, StatusCode: resp.StatusCode, Errors: answer.Errors})
	failure.retryAfter = retryAfter(resp.Header.Get("Retry-After"), c.clock.Now())
	return failure
}

// answerError returns the error of an answer of the registry, or of its token server.
func (c *client) answerError(answer *errcode.ErrorResponse) *Error {
	var messages []string
	for _, e := range answer.Errors {
		messages = append(messages, strings.TrimPrefix(e.Code+": "+e.Message, ": "))
	}
	failure := c.status(answer.StatusCode, strings.Join(messages, ", "))
	if answer.URL != nil && answer.URL.Host != c.base.Host {
		failure.cause = answer.URL.Hostname() + ": " + failure.cause
	}
	failure.wrapped = answer
	return failure
}

// transient reports whether a registry may answer otherwise later: 408, 429 and every 5xx.
func transient(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500
}

// status returns the error of a status, with the message of the registry.
func (c *client) status(status int, message string) *Error {
	cause := fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))
	if message != "" {
		cause += " (" + c.scrub(message) + ")"
	}
	reason, remedy := v1alpha1.ReasonRegistryRefused, ""
	switch {
	case status == http.StatusUnauthorized && !c.credentials.has:
		reason, remedy = v1alpha1.ReasonRegistryDenied, c.remedies.missing
	case status == http.StatusUnauthorized:
		reason, remedy = v1alpha1.ReasonRegistryDenied, c.remedies.wrong
	case status == http.StatusForbidden && !c.credentials.has:
		reason, remedy = v1alpha1.ReasonRegistryDenied, c.remedies.missing
	case status == http.StatusForbidden:
		reason, remedy = v1alpha1.ReasonRegistryDenied, c.remedies.forbidden
	case status == http.StatusNotFound:
		remedy = "check that the repository exists"
	case status < 300: // a web server that answers every request
		remedy = fmt.Sprintf("check that %s is an OCI registry, because a registry answers otherwise", c.reference.Registry)
	case transient(status):
		reason = v1alpha1.ReasonRegistryUnavailable
	}
	failure := c.fault(reason, cause, remedy, nil)
	failure.Status = status
	return failure
}

// connectionError returns the error of a request without an answer.
func (c *client) connectionError(err error) error {
	if local, ok := errors.AsType[*contentError](err); ok {
		return local
	}
	if own, ok := errors.AsType[*Error](err); ok { // of credential
		return own
	}
	if insecure, ok := errors.AsType[*insecureError](err); ok {
		return c.fault(v1alpha1.ReasonRegistryRefused, insecure.Error(), c.remedies.otherHost, err)
	}
	if answer, ok := errors.AsType[*errcode.ErrorResponse](err); ok { // of the token server
		failure := c.answerError(answer)
		if failure.Reason == v1alpha1.ReasonRegistryRefused {
			failure.Reason, failure.remedy = v1alpha1.ReasonRegistryDenied, c.remedies.wrong
		}
		return failure
	}
	if errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return c.fault(v1alpha1.ReasonRegistryDenied, "HTTP 401 Unauthorized", c.remedies.missing, err)
	}
	if refused, ok := errors.AsType[*addressError](err); ok {
		return c.fault(v1alpha1.ReasonRegistryRefused, refused.Error(), "", err)
	}
	if network, ok := errors.AsType[*networkError](err); ok {
		return c.unreachable(network)
	}
	_, syntax := errors.AsType[*json.SyntaxError](err)
	if syntax || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return c.fault(v1alpha1.ReasonRegistryUnavailable, "the token server's answer is not valid", "", err)
	}
	return c.fault(v1alpha1.ReasonRegistryRefused, c.scrub(err.Error()), "", err)
}

// Expired returns when the certificate in an error is valid, such as "has expired at 2026-01-02T03:04:05Z", or "" for an error about another matter.
func Expired(err error) string {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	if !ok || invalid.Reason != x509.Expired || invalid.Cert == nil {
		return ""
	}
	if strings.Contains(invalid.Detail, "is before") {
		return "is not valid before " + invalid.Cert.NotBefore.UTC().Format(time.RFC3339)
	}
	return "has expired at " + invalid.Cert.NotAfter.UTC().Format(time.RFC3339)
}

func (c *client) unreachable(err *networkError) *Error {
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case authority:
		return c.fault(v1alpha1.ReasonRegistryRefused, "the certificate of "+err.host+" is of an unknown authority", c.remedies.authority, err)
	case Expired(err) != "":
		return c.fault(v1alpha1.ReasonRegistryRefused, "the certificate of "+err.host+" "+Expired(err), "renew it on the registry, or correct the clock of this machine", err)
	case verification:
		return c.fault(v1alpha1.ReasonRegistryRefused, c.scrub("the certificate of "+err.host+" is not valid: "+err.err.Error()), "", err)
	case record:
		return c.fault(v1alpha1.ReasonRegistryRefused, err.host+" answers without TLS", c.remedies.plainHTTP, err)
	}
	failure := c.fault(v1alpha1.ReasonRegistryUnavailable, c.scrub("no answer of "+err.host+": "+err.err.Error()), "", err)
	if failure.unconnected() {
		failure.remedy = "check the host and the port of the repository, and that the registry runs"
	}
	return failure
}

// retryAfter reads the header of this name: seconds, or a date.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// scrub makes a text of others fit for an error: printable, short, without credentials and without the query of URLs. A registry can
// repeat what it received.
func (c *client) scrub(text string) string {
	secrets := c.credentials.secrets()
	if c.guard != nil {
		secrets = append(secrets, c.guard.secrets()...)
	}
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "[hidden]")
	}
	text = regexp.MustCompile(`https?://[^\s"']+`).ReplaceAllStringFunc(text, func(found string) string {
		parsed, err := url.Parse(found)
		if err != nil {
			return "[hidden]"
		}
		return parsed.Scheme + "://" + parsed.Host + parsed.Path
	})
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) <= messageBytes {
		return text
	}
	cut := messageBytes
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
