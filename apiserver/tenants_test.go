// SPDX-License-Identifier: Apache-2.0

package apiserver_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/corekinds"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/records"
)

// team is a namespace that was deleted and created again.
const team = "team"

func asTenant(_ context.Context, token string) (*authenticator.Response, bool, error) {
	return &authenticator.Response{User: &user.DefaultInfo{Name: "tenant"}}, token == "tenant", nil
}

// inTeam lets the tenant do everything in the namespace, and ask for images named web in all namespaces.
func inTeam(_ context.Context, asked authorizer.Attributes) (authorizer.Decision, string, error) {
	if asked.GetUser().GetName() == "tenant" && (asked.GetNamespace() == team || asked.GetNamespace() == "" && asked.GetName() == "web") {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionNoOpinion, "", nil
}

var _ = Describe("Records and archived logs of an earlier namespace of the same name", func() {
	var (
		r             *recording
		tenant, admin versioned.Interface
	)
	// The UIDs of deleted images, each with a deleted build.
	const earlier, unknown, now = types.UID("earlier"), types.UID("unknown"), types.UID("now")
	deleted := func(uid types.UID) *v1alpha1.Image {
		image := newImage("web")
		image.Namespace, image.UID = team, uid
		return image
	}

	BeforeEach(func(ctx SpecContext) {
		store := must(archive.Open(ctx, "file://"+GinkgoT().TempDir(), archive.Options{}))
		DeferCleanup(func() { Expect(store.Close()).To(Succeed()) })
		options := apiserver.Options{LogArchive: func() (*archive.Store, error) { return store, nil }}
		var config *restclient.Config
		r, config = startRecordingWith(ctx, options, func(server *builder.Server) *builder.Server {
			return corekinds.Register(server, noLogs{}).WithGuests(authenticator.TokenFunc(asTenant), authorizer.AuthorizerFunc(inTeam))
		})
		admin = versioned.NewForConfigOrDie(config)
		theirs := restclient.CopyConfig(config)
		theirs.BearerToken = "tenant"
		tenant = versioned.NewForConfigOrDie(theirs)
		namespace := must(kubernetes.NewForConfigOrDie(config).CoreV1().Namespaces().
			Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}}, metav1.CreateOptions{}))

		for number, uid := range []types.UID{earlier, unknown, now} {
			image := deleted(uid)
			Expect(r.store.PutImage(ctx, image)).To(Succeed())
			build := r.built(ctx, image, int64(number+1), v1alpha1.BuildSucceeded, withArtifacts(locked("linux/amd64/raw", lockOf(), "")))
			Expect(r.store.PutLock(ctx, uid, sha(lockOf()), lockOf())).To(Succeed())
			Expect(r.store.BuildDeleted(ctx, build.UID, time.Now())).To(Succeed())
			Expect(r.store.ImageDeleted(ctx, uid, time.Now())).To(Succeed())
			archived := archive.Build{Namespace: team, Name: build.Name, UID: build.UID, Finished: &build.Status.CompletionTime.Time}
			if uid == earlier {
				archived.NamespaceUID = "earlier-namespace"
			}
			Expect(store.PutBuild(ctx, archived)).To(Succeed())
		}
		Expect(r.store.InNamespace(ctx, records.Images, "earlier-namespace", earlier)).To(Succeed())
		Expect(r.store.InNamespace(ctx, records.Images, namespace.UID, now)).To(Succeed())
	})

	// reads are requests for what is recorded of a deleted image or build.
	reads := func(ctx context.Context, client versioned.Interface, uid types.UID) map[string]error {
		number := map[types.UID]int{earlier: 1, unknown: 2, now: 3}[uid]
		build, buildUID := fmt.Sprintf("web-%d", number), fmt.Sprintf("%s-%d", uid, number)
		answers := map[string]error{}
		read := func(resource, name, subresource string, parameters ...string) {
			request := client.ImagesV1alpha1().RESTClient().Get().Namespace(team).Resource(resource).Name(name).SubResource(subresource)
			for i := 0; i < len(parameters); i += 2 {
				request.Param(parameters[i], parameters[i+1])
			}
			answers[subresource] = request.Do(ctx).Error()
		}
		for _, subresource := range []string{"history", "stats", "changes", "notes"} {
			read("images", "web", subresource, "uid", string(uid))
		}
		read("imagebuilds", build, "diff", "uid", buildUID, "with", build, "withUID", buildUID)
		read("imagebuilds", build, "packages", "uid", buildUID)
		read("imagebuilds", build, "log", "uid", buildUID)
		return answers
	}

	It("are read only with permission for all namespaces", func(ctx SpecContext) {
		for _, uid := range []types.UID{earlier, unknown} {
			for what, err := range reads(ctx, tenant, uid) {
				Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%s of %s: %v", what, uid, err)
			}
			for what, err := range reads(ctx, admin, uid) {
				Expect(err).NotTo(HaveOccurred(), "%s of %s", what, uid)
			}
		}
		for what, err := range reads(ctx, tenant, now) {
			Expect(err).NotTo(HaveOccurred(), what)
		}
		for user, want := range map[versioned.Interface]string{tenant: "[now]", admin: "[now unknown earlier]"} {
			list := &v1alpha1.ImageReportList{}
			Expect(user.ImagesV1alpha1().RESTClient().Get().Namespace(team).Resource("imagereports").Param("labelSelector", "").
				Param("fieldSelector", "deleted=true").Do(ctx).Into(list)).To(Succeed())
			var uids []types.UID
			for _, report := range list.Items {
				uids = append(uids, report.UID)
			}
			Expect(fmt.Sprint(uids)).To(Equal(want))
		}
		err := tenant.ImagesV1alpha1().RESTClient().Get().Resource("imagereports").Param("fieldSelector", "deleted=true,metadata.name=web").Do(ctx).Error()
		Expect(err).To(MatchError(ContainSubstring("request one namespace")))
	})

	It("are not in the history of an image of the same name, and cannot be rerun", func(ctx SpecContext) {
		web := r.newImage(ctx, team, "web") // nobody has recorded its namespace yet
		r.built(ctx, web, 4, v1alpha1.BuildSucceeded)
		for user, want := range map[versioned.Interface]string{tenant: "[web-4 web-3]", admin: "[web-4 web-3 web-2 web-1]"} {
			history := &v1alpha1.ImageHistory{}
			Expect(user.ImagesV1alpha1().RESTClient().Get().Namespace(team).Resource("images").Name("web").SubResource("history").Do(ctx).Into(history)).To(Succeed())
			var names []string
			for _, build := range history.Items {
				names = append(names, build.Name)
			}
			Expect(fmt.Sprint(names)).To(Equal(want))
		}
		again := func(user versioned.Interface, name, uid string) error {
			_, err := user.ImagesV1alpha1().ImageBuilds(team).
				Rerun(ctx, name, &v1alpha1.RerunRequest{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}}, metav1.CreateOptions{})
			return err
		}
		Expect(again(tenant, "web-1", "earlier-1")).To(MatchError(ContainSubstring("has no record")))
		Expect(again(tenant, "web-3", "now-3")).NotTo(MatchError(ContainSubstring("has no record")))
		Expect(again(admin, "web-1", "earlier-1")).NotTo(MatchError(ContainSubstring("has no record")))
	})
})
