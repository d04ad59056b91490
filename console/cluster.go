// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
)

const (
	// signInLimit is how long a session lasts at most. Then users sign in again.
	signInLimit = 12 * time.Hour
	// answerLimit is how long the API server and the provider may take.
	answerLimit = 10 * time.Second
	// renewalPatience is how long a request waits for the renewal of a token that is still valid.
	renewalPatience = 2 * time.Second
	// tokenCommand prints a token to paste.
	tokenCommand = "kubectl create token SERVICEACCOUNT --namespace NAMESPACE --duration 8h" //nolint:gosec // no token
)

// Cluster configures the console of a cluster, which several people use. It has no credentials of its own: requests have the token of the
// user who signed in, which is in sealed cookies. Sessions end with the process, which alone can open them.
type Cluster struct {
	// Server is the API server: its address and its certificate authority. Its credentials are ignored.
	Server *rest.Config
	// Hosts are the names of the console in browsers, without ports.
	Hosts []string
	// OIDC signs users in with a provider. Without it, users paste a token.
	OIDC *OIDC
	// Reasons explain the reasons of failures and conditions.
	Reasons []Reason
	Clock   clock.PassiveClock
	// Logger logs failures of the provider.
	Logger logr.Logger
}

// cluster serves the console of a cluster.
type cluster struct {
	Cluster
	box      box
	client   *http.Client // of the API server
	reviews  string       // address of SelfSubjectReviews
	provider *provider    // nil without OIDC

	mutex sync.Mutex
	ended map[string]time.Time // sessions that were signed out, and when they would have ended
}

// user is a signed-in user, as the cookies of the session hold it.
type user struct {
	// Session identifies the session.
	Session string `json:"session"`
	Name    string `json:"name"`
	Token   string `json:"token"`
	// Renew and End are when the token should and must be replaced, and Limit is the end of the session, in seconds.
	Renew int64 `json:"renew"`
	End   int64 `json:"end"`
	Limit int64 `json:"limit"`
	// Refresh is the refresh token, and Subject the subject of the ID token. They are empty without OIDC.
	Refresh string `json:"refresh,omitempty"`
	Subject string `json:"subject,omitempty"`
}

// Handler serves the console with TLS at its hosts. Something else has to terminate TLS.
func (c Cluster) Handler() (http.Handler, error) {
	transport, address, err := connect(rest.AnonymousClientConfig(c.Server))
	if err != nil {
		return nil, err
	}
	serving := &cluster{Cluster: c, ended: map[string]time.Time{}}
	if serving.box, err = newBox(); err != nil {
		return nil, err
	}
	serving.client = &http.Client{Transport: transport, CheckRedirect: noRedirect}
	serving.reviews = address.JoinPath("apis/authentication.k8s.io/v1/selfsubjectreviews").String()
	mux := newMux(serving.signedIn(forward(transport, address)), c.Reasons)
	mux.HandleFunc("GET "+Path+"session", serving.describeSession)
	mux.HandleFunc("POST "+Path+"logout", serving.signOut)
	if c.OIDC == nil {
		mux.HandleFunc("POST "+Path+"session", serving.acceptToken)
	} else {
		serving.provider = newProvider(*c.OIDC, c.Clock)
		mux.HandleFunc("GET "+Path+"login", serving.startSignIn)
		mux.HandleFunc("GET "+Path+"callback", serving.endSignIn)
	}
	return guard(serving.isHost, mux), nil
}

// noRedirect keeps tokens from other servers.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (c *cluster) isHost(host string) bool {
	return slices.ContainsFunc(c.Hosts, func(known string) bool { return strings.EqualFold(known, host) })
}

// describeSession tells a page how to sign in, who is signed in, and why the last attempt failed.
func (c *cluster) describeSession(writer http.ResponseWriter, request *http.Request) {
	described := session{SignIn: "token", Command: tokenCommand}
	if c.provider != nil {
		described = session{SignIn: "oidc", Provider: c.provider.host()}
	}
	if signedIn, err := c.userOf(writer, request); err == nil {
		described.User = signedIn.Name
	} else if !errors.Is(err, errSignedOut) {
		described.Message = err.Error()
	}
	if sealed := cookieOf(request, forMessage); sealed != "" {
		var message string
		if c.box.open(forMessage, sealed, &message) && described.User == "" {
			described.Message = message
		}
		setCookie(writer, forMessage, "", http.SameSiteStrictMode, -time.Second)
	}
	answer(writer, http.StatusOK, described)
}

// token has the characters of bearer tokens (RFC 6750).
var token = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

// acceptToken signs a user in with a token, if the API server accepts it.
func (c *cluster) acceptToken(writer http.ResponseWriter, request *http.Request) {
	var asked struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(writer, request.Body, 64<<10)).Decode(&asked); err != nil {
		refuse(writer, http.StatusBadRequest, metav1.StatusReasonBadRequest, "the request has no token, or is too large") // errors can quote the token
		return
	}
	pasted := strings.TrimSpace(asked.Token)
	if !token.MatchString(pasted) {
		refuse(writer, http.StatusBadRequest, metav1.StatusReasonBadRequest, "this is not a token: paste one line of letters, digits and dots, as `kubectl create token` prints")
		return
	}
	name, err := c.review(request.Context(), pasted)
	if err != nil {
		code, reason := int32(http.StatusBadGateway), metav1.StatusReasonServiceUnavailable
		if errors.Is(err, errRefused) {
			code, reason = http.StatusUnauthorized, metav1.StatusReasonUnauthorized
		}
		refuse(writer, code, reason, err.Error())
		return
	}
	now := c.Clock.Now()
	limit := now.Add(signInLimit)
	if end, found := expiry(pasted); found && end.Before(limit) {
		limit = end
	}
	sealed := c.box.seal(forSession, user{Session: rand.Text(), Name: name, Token: pasted, Renew: limit.Unix(), End: limit.Unix(), Limit: limit.Unix()})
	if !fits(sealed) {
		refuse(writer, http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge, tooLarge(pasted).Error())
		return
	}
	setSession(writer, request, sealed)
	answer(writer, http.StatusOK, session{SignIn: "token", User: name, Command: tokenCommand})
}

func tooLarge(tokens string) error {
	return fmt.Errorf("the token has %d bytes, and browsers keep at most %d: use a token with fewer claims, such as fewer groups", len(tokens), cookieBytes*maxCookies*3/4-512)
}

// expiry returns the end of a token that is a JWT. The API server has verified the token.
func expiry(token string) (end time.Time, found bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return end, false
	}
	content, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Expiry float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(content, &claims) != nil || claims.Expiry <= 0 {
		return end, false
	}
	return time.Unix(int64(claims.Expiry), 0), true
}

// signOut ends the session: no copy of its cookies counts any more, here and at the provider.
func (c *cluster) signOut(writer http.ResponseWriter, request *http.Request) {
	var signedIn user
	if sealed := sessionOf(request); sealed != "" && c.box.open(forSession, sealed, &signedIn) {
		c.end(signedIn)
		if c.provider != nil {
			c.revoke(request.Context(), signedIn)
		}
	}
	setSession(writer, request, "")
	answer(writer, http.StatusOK, struct{}{})
}

// end remembers that a session was signed out, for as long as its cookies could be used.
func (c *cluster) end(signedIn user) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	now := c.Clock.Now()
	maps.DeleteFunc(c.ended, func(_ string, limit time.Time) bool { return !now.Before(limit) })
	c.ended[signedIn.Session] = time.Unix(signedIn.Limit, 0)
}

func (c *cluster) hasEnded(signedIn user) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	_, ended := c.ended[signedIn.Session]
	return ended
}

// errRefused reports that the API server does not accept a token.
var errRefused = errors.New("the cluster does not accept this token")

// review asks the API server whose token this is.
func (c *cluster) review(ctx context.Context, token string) (name string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.reviews, bytes.NewReader([]byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`)))
	if err != nil {
		return "", fmt.Errorf("ask the cluster whose token this is: %w", err)
	}
	request.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {userAgent}}
	response, err := c.client.Do(request)
	if err != nil {
		return "", fmt.Errorf("cannot reach the cluster: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	var review authenticationv1.SelfSubjectReview
	var status metav1.Status
	switch {
	case err != nil:
		return "", fmt.Errorf("read the answer of the cluster: %w", err)
	case response.StatusCode == http.StatusUnauthorized:
		return "", fmt.Errorf("%w: it is wrong, has expired, or was made for another cluster", errRefused)
	case response.StatusCode/100 == 2 && json.Unmarshal(content, &review) == nil && review.Status.UserInfo.Username != "":
		return review.Status.UserInfo.Username, nil
	}
	_ = json.Unmarshal(content, &status) // the answer is of something else if this fails
	reason := cmp.Or(status.Message, "the answer is "+response.Status)
	if response.StatusCode == http.StatusForbidden {
		return "", fmt.Errorf("%w: %s", errRefused, reason)
	}
	return "", fmt.Errorf("the cluster cannot tell whose token this is: %s", reason)
}

var (
	errSignedOut = errors.New("this page is not signed in")
	errEnded     = errors.New("the session has ended: sign in again")
)

// userOf returns the user of a request's session, and renews the session before its token ends. It fails with errSignedOut or another error
// whose text is for the user.
func (c *cluster) userOf(writer http.ResponseWriter, request *http.Request) (user, error) {
	var signedIn user
	sealed := sessionOf(request)
	if sealed == "" {
		return user{}, errSignedOut
	}
	now, opened := c.Clock.Now().Unix(), c.box.open(forSession, sealed, &signedIn)
	switch {
	case opened && c.hasEnded(signedIn):
		return user{}, errSignedOut
	case !opened || now >= signedIn.Limit: // a session of a former process does not open
		return user{}, errEnded
	}
	if now < signedIn.Renew {
		return signedIn, nil
	}
	wait := answerLimit
	if now < signedIn.End {
		wait = renewalPatience
	}
	renewed, sealed, err := c.renew(request.Context(), signedIn, wait)
	switch {
	case c.hasEnded(signedIn): // meanwhile
		return user{}, errSignedOut
	case err == nil:
		setSession(writer, request, sealed)
		return renewed, nil
	case now < signedIn.End:
		return signedIn, nil
	}
	return user{}, err
}

// signedIn passes on the requests of pages that are signed in, with the token of the user.
func (c *cluster) signedIn(api http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		signedIn, err := c.userOf(writer, request)
		switch {
		case errors.As(err, new(*unavailableError)):
			refuse(writer, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, err.Error())
		case err != nil:
			refuse(writer, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, err.Error())
		default:
			api.ServeHTTP(writer, request.WithContext(context.WithValue(request.Context(), tokenKey{}, signedIn.Token)))
		}
	})
}
