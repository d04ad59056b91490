// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/jobs/local"
)

// The service accounts of pods. As in a cluster, their credentials name the pod.
const (
	// builderAccount is the account that builders report as.
	builderAccount = "goldsmith-builder"
	// publisherAccount is the account as which the agent attests what it has read in a pod.
	publisherAccount = "goldsmith-publisher"
)

// builderTokens holds a token for each running builder, which allows only reports of progress, and a token for each pod whose artifacts the agent
// attests. The tokens are not stored, because no builder outlives the process.
type builderTokens struct {
	mu     sync.RWMutex
	tokens map[[sha256.Size]byte]user.Info // by digest, so that a memory dump has no token
}

func newBuilderTokens() *builderTokens {
	return &builderTokens{tokens: map[[sha256.Size]byte]user.Info{}}
}

// grant returns a token for the builder of a pod, which is valid until it is revoked.
func (t *builderTokens) grant(pod *corev1.Pod) (token string, revoke func()) {
	return t.grantAs(builderAccount, pod)
}

// grantPublisher returns a token with which the agent attests the artifacts of a pod, until it is revoked. The agent also sends it in the header
// PublisherTokenHeader. No builder gets it.
func (t *builderTokens) grantPublisher(pod *corev1.Pod) (token string, revoke func()) {
	return t.grantAs(publisherAccount, pod)
}

func (t *builderTokens) grantAs(account string, pod *corev1.Pod) (token string, revoke func()) {
	token = rand.Text()
	digest := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens[digest] = &user.DefaultInfo{
		Name:   serviceaccount.MakeUsername(pod.Namespace, account),
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

// PodOf returns the UID of the pod that a token of grantPublisher is for, or "" for any other token.
func (t *builderTokens) PodOf(_ context.Context, token string) (types.UID, error) {
	found := t.find(token)
	if found == nil || !strings.HasSuffix(found.GetName(), ":"+publisherAccount) {
		return "", nil
	}
	return types.UID(found.GetExtra()[serviceaccount.PodUIDKey][0]), nil
}

// find returns the holder of a token; nil if nobody holds it.
func (t *builderTokens) find(token string) user.Info {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.tokens[sha256.Sum256([]byte(token))]
}

// reporting returns the settings with which the agent's builders report to the server.
func (t *builderTokens) reporting(server *builder.Running) *local.Reporting {
	return &local.Reporting{
		Server:               server.Address(),
		CertificateAuthority: server.CertificateAuthority(),
		Grant:                t.grant,
	}
}

// AuthenticateToken authenticates running builders, and the agent as the publisher of a pod.
func (t *builderTokens) AuthenticateToken(_ context.Context, token string) (*authenticator.Response, bool, error) {
	found := t.find(token)
	if found == nil {
		return nil, false, nil
	}
	return &authenticator.Response{User: found}, true, nil
}

// podRights lets builders report on builds of their namespace, and publishers attest them. The server restricts each to the build of its pod.
type podRights struct{ authorizer.AuthorizerFunc }

func mayCreate(subresource string) *authorizer.DefaultResourceRuleInfo {
	return &authorizer.DefaultResourceRuleInfo{Verbs: []string{"create"}, APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"imagebuilds/" + subresource}}
}

// rightOf returns the only right of an account of a pod in its namespace; nil for any other user.
func rightOf(info user.Info, namespace string) *authorizer.DefaultResourceRuleInfo {
	if info == nil {
		return nil
	}
	switch info.GetName() {
	case serviceaccount.MakeUsername(namespace, builderAccount):
		return mayCreate("report")
	case serviceaccount.MakeUsername(namespace, publisherAccount):
		return mayCreate("attest")
	}
	return nil
}

func allowPods(_ context.Context, attributes authorizer.Attributes) (authorizer.Decision, string, error) {
	may := rightOf(attributes.GetUser(), attributes.GetNamespace())
	if may != nil && attributes.IsResourceRequest() && attributes.GetVerb() == may.Verbs[0] &&
		attributes.GetResource()+"/"+attributes.GetSubresource() == may.Resources[0] && attributes.GetAPIGroup() == may.APIGroups[0] {
		return authorizer.DecisionAllow, "the pod may create " + may.Resources[0], nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

// RulesFor lists the right of a pod in its namespace.
func (podRights) RulesFor(_ context.Context, info user.Info, namespace string) ([]authorizer.ResourceRuleInfo, []authorizer.NonResourceRuleInfo, bool, error) {
	if may := rightOf(info, namespace); may != nil {
		return []authorizer.ResourceRuleInfo{may}, nil, false, nil
	}
	return nil, nil, false, nil
}
