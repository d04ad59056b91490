// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Repository is a repository of Git that this process serves, with TLS and a password.
type Repository struct {
	// URL is its address.
	URL string

	ca             []byte
	user, password string
	bare, work     string
}

// NewRepository serves a repository without commits until the spec ends. It needs the program git.
func NewRepository(ctx context.Context, address string) *Repository {
	GinkgoHelper()
	directory := GinkgoT().TempDir()
	r := &Repository{user: "robot", password: rand.Text(), bare: filepath.Join(directory, "images.git"), work: filepath.Join(directory, "work")}
	programs := strings.TrimSpace(r.run(ctx, directory, "--exec-path"))
	handler := cgi.Handler{Path: filepath.Join(programs, "git-http-backend"), Env: []string{"GIT_PROJECT_ROOT=" + directory, "GIT_HTTP_EXPORT_ALL=1"}}
	host, ca := serveTLS(address, func(w http.ResponseWriter, request *http.Request) {
		if user, password, ok := request.BasicAuth(); !ok || user != r.user || password != r.password {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		with := handler
		with.Env = append(slices.Clip(with.Env), "GIT_PROTOCOL="+request.Header.Get("Git-Protocol"))
		with.ServeHTTP(w, request)
	})
	r.URL, r.ca = "https://"+host+"/images.git", ca
	r.run(ctx, directory, "init", "--quiet", "--bare", "--initial-branch=main", r.bare)
	r.run(ctx, directory, "init", "--quiet", "--initial-branch=main", r.work)
	return r
}

// Commit adds a commit with a file to the branch main, and returns its ID.
func (r *Repository) Commit(ctx context.Context, message, name, content string) string {
	GinkgoHelper()
	file := filepath.Join(r.work, name)
	Expect(os.MkdirAll(filepath.Dir(file), 0o750)).To(Succeed())
	Expect(os.WriteFile(file, []byte(content), 0o600)).To(Succeed())
	r.run(ctx, r.work, "add", "--all")
	r.run(ctx, r.work, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", message)
	r.Push(ctx, "HEAD")
	return strings.TrimSpace(r.run(ctx, r.work, "rev-parse", "HEAD"))
}

// Push lets the branch main name a commit, also an earlier one.
func (r *Repository) Push(ctx context.Context, commit string) {
	GinkgoHelper()
	r.run(ctx, r.work, "push", "--quiet", "--force", r.bare, commit+":refs/heads/main")
}

func (r *Repository) run(ctx context.Context, directory string, arguments ...string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, "git", arguments...)
	command.Dir, command.Env = directory, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + directory, "GIT_CONFIG_NOSYSTEM=1"}
	output, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "git %s: %s", strings.Join(arguments, " "), output)
	return string(output)
}

// Secret returns the credentials of the repository, and the authority of its certificate.
func (r *Repository) Secret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "git"}, Type: corev1.SecretTypeBasicAuth,
		Data: map[string][]byte{corev1.BasicAuthUsernameKey: []byte(r.user), corev1.BasicAuthPasswordKey: []byte(r.password), "ca.crt": r.ca},
	}
}
