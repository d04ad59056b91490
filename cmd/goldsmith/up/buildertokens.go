// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/jobs/local"
)

// builderAccount is the service account that builders report as. As in a cluster, its credentials name the pod.
const builderAccount = "goldsmith-builder"

// builderTokens holds a token for each running builder. The token allows only reports of progress. The tokens are not stored,
// because no builder outlives the process.
type builderTokens struct {
	mu     sync.RWMutex
	tokens map[[sha256.Size]byte]user.Info // by digest, so that a memory dump has no token
}

func newBuilderTokens() *builderTokens {
	return &builderTokens{tokens: map[[sha256.Size]byte]user.Info{}}
}

// grant returns a token for the builder of a pod, which is valid until it is revoked.
func (t *builderTokens) grant(pod *corev1.Pod) (token string, revoke func()) {
	token = rand.Text()
	digest := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens[digest] = &user.DefaultInfo{
		Name:   serviceaccount.MakeUsername(pod.Namespace, builderAccount),
		Groups: serviceaccount.MakeGroupNames(pod.Namespace),
		Extra: map[string][]string{
			serviceaccount.PodNameKey: {pod.Name},
			serviceaccount.PodUIDKey:  {string(pod.UID)},
		},
	}
	return token, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.tokens, digest)
	}
}

// reporting returns the settings with which the agent's builders report to the server.
func (t *builderTokens) reporting(server *builder.Running) *local.Reporting {
	return &local.Reporting{
		Server:               server.Address(),
		CertificateAuthority: server.CertificateAuthority(),
		Grant:                t.grant,
	}
}

// AuthenticateToken authenticates running builders.
func (t *builderTokens) AuthenticateToken(_ context.Context, token string) (*authenticator.Response, bool, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	found, ok := t.tokens[sha256.Sum256([]byte(token))]
	if !ok {
		return nil, false, nil
	}
	return &authenticator.Response{User: found}, true, nil
}

// builderRights lets builders report on builds of their namespace. The server restricts each builder to the build of its pod.
type builderRights struct{ authorizer.AuthorizerFunc }

var mayReport = authorizer.DefaultResourceRuleInfo{Verbs: []string{"create"}, APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"imagebuilds/report"}}

func isBuilder(info user.Info, namespace string) bool {
	return info != nil && info.GetName() == serviceaccount.MakeUsername(namespace, builderAccount)
}

func allowReports(_ context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
	if isBuilder(attributes.GetUser(), attributes.GetNamespace()) && attributes.IsResourceRequest() && attributes.GetVerb() == mayReport.Verbs[0] &&
		attributes.GetResource()+"/"+attributes.GetSubresource() == mayReport.Resources[0] && attributes.GetAPIGroup() == mayReport.APIGroups[0] {
		return authorizer.DecisionAllow, "builders may create imagebuilds/report", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// RulesFor lists the right of a builder in its namespace.
func (builderRights) RulesFor(_ context.Context, info user.Info, namespace string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	if !isBuilder(info, namespace) {
		return nil, nil, false, nil
	}
	return []authorizer.ResourceRuleInfo{&mayReport}, nil, false, nil
}
