// SPDX-License-Identifier: Apache-2.0

package s3

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	// findTimeout of all requests for credentials.
	findTimeout = 20 * time.Second
	// keptFor is how long credentials that are still valid are used before the next attempt to renew them.
	keptFor = time.Minute
	// metadataTimeout of the requests to EC2's service of metadata. The client falls back to the first version of that service when there
	// is no answer within a second.
	metadataTimeout = 3 * time.Second
	// maxProfiles is the number of profiles that may name each other as their sources.
	maxProfiles = 8
	howToSet    = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
)

// A chain finds credentials in the order of the AWS SDKs: the environment, a web identity, the profile in the shared files, the
// container, and EC2.
type chain struct {
	credentials.Expiry

	files  *files
	named  bool   // the URL names the profile, which then precedes the environment
	role   string // to assume with the credentials, or ""
	aws    aws
	client *http.Client
	last   credentials.Value
}

// IsExpired implements credentials.Provider. Credentials without an end are found once.
func (c *chain) IsExpired() bool {
	return c.last.AccessKeyID == "" || !c.last.Expiration.IsZero() && (c.Expiry.IsExpired() || !c.CurrentTime().Before(c.last.Expiration))
}

// Retrieve implements credentials.Provider. The client does not call it.
func (c *chain) Retrieve() (credentials.Value, error) {
	return c.RetrieveWithCredContext(&credentials.CredContext{})
}

// RetrieveWithCredContext implements credentials.Provider.
func (c *chain) RetrieveWithCredContext(request *credentials.CredContext) (credentials.Value, error) {
	ctx, cancel := context.WithTimeout(cmp.Or(request.Context, context.Background()), findTimeout)
	defer cancel()
	found, err := c.find(&credentials.CredContext{Client: c.client, Context: ctx})
	if err == nil && (found.AccessKeyID == "" || found.SecretAccessKey == "") {
		err = errors.New("the source has no access key")
	}
	if now := c.CurrentTime(); err != nil && now.Before(c.last.Expiration) {
		c.SetExpiration(now.Add(keptFor), 0)
		return c.last, nil
	}
	if err != nil {
		return credentials.Value{}, fmt.Errorf("find credentials for S3: %w", err)
	}
	c.SetExpiration(found.Expiration, credentials.DefaultExpiryWindow)
	found.SignerType = credentials.SignatureV4
	c.last = found
	return found, nil
}

func (c *chain) find(request *credentials.CredContext) (found credentials.Value, err error) {
	fixed := environment()
	switch {
	case !c.named && fixed.AccessKeyID != "" && fixed.SecretAccessKey != "":
		found = fixed
	case !c.named && os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		found, err = c.fromWebIdentity(request, nil)
	default:
		found, err = c.fromProfile(request, c.files.name, 0)
	}
	if c.role == "" || err != nil {
		return found, err
	}
	return c.assume(request, found, map[string]string{"role_arn": c.role})
}

func environment() credentials.Value {
	found, _ := (&credentials.EnvAWS{}).Retrieve() // which has no errors
	return found
}

// fromProfile finds the credentials of a profile, which another profile may have named.
func (c *chain) fromProfile(request *credentials.CredContext, name string, depth int) (found credentials.Value, err error) {
	profile := c.files.sections[profileSection+name]
	switch source := profile["source_profile"]; {
	case depth == maxProfiles:
		return found, errors.New("the source_profile of an AWS profile leads back to itself")
	case source != "" && source != name:
		found, err = c.fromProfile(request, source, depth+1)
	case profile["aws_access_key_id"]+profile["aws_secret_access_key"] != "":
		found = credentials.Value{AccessKeyID: profile["aws_access_key_id"], SecretAccessKey: profile["aws_secret_access_key"], SessionToken: profile["aws_session_token"]}
	case profile["credential_source"] == "Environment":
		found = environment()
	case profile["credential_source"] != "":
		found, err = c.fromMachine(request)
	case profile["web_identity_token_file"] != "":
		return c.fromWebIdentity(request, profile)
	case profile["sso_session"]+profile["sso_start_url"] != "":
		found, err = (&credentials.FileAWSCredentials{Profile: name}).RetrieveWithCredContext(request)
	case profile["login_session"] != "":
		err = fmt.Errorf("the AWS profile %s has a login_session: replace it by `credential_process = aws configure export-credentials --profile NAME`", name)
	case profile["credential_process"] != "":
		found, err = fromProcess(request.Context, profile["credential_process"])
	default:
		found, err = c.fromMachine(request)
	}
	if profile["role_arn"] == "" || err != nil {
		return found, err
	}
	return c.assume(request, found, profile)
}

// assume finds the credentials of a role. They are valid for an hour, the default of the service.
func (c *chain) assume(request *credentials.CredContext, by credentials.Value, profile map[string]string) (credentials.Value, error) {
	if profile["mfa_serial"] != "" {
		return by, errors.New("the AWS profile has an mfa_serial, and nobody is there to answer: use a role without it")
	}
	return (&credentials.STSAssumeRole{STSEndpoint: c.tokens(), Options: credentials.STSAssumeRoleOptions{
		AccessKey: by.AccessKeyID, SecretKey: by.SecretAccessKey, SessionToken: by.SessionToken, Location: c.aws.region,
		RoleARN: profile["role_arn"], RoleSessionName: cmp.Or(profile["role_session_name"], "goldsmith"), ExternalID: profile["external_id"],
	}}).RetrieveWithCredContext(request)
}

// fromWebIdentity finds the credentials of the role of a Kubernetes service account. The settings are those of a profile, or of the environment.
func (c *chain) fromWebIdentity(request *credentials.CredContext, profile map[string]string) (credentials.Value, error) {
	machine := &credentials.IAM{Endpoint: c.tokens()}
	machine.EKSIdentity.TokenFile, machine.EKSIdentity.RoleARN = profile["web_identity_token_file"], profile["role_arn"]
	machine.EKSIdentity.RoleSessionName = profile["role_session_name"]
	return machine.RetrieveWithCredContext(request)
}

// tokens returns the address of AWS's Security Token Service.
func (c *chain) tokens() string {
	return cmp.Or(c.files.endpoint("STS"), c.aws.endpoint("sts"))
}

// fromMachine finds the credentials of this container, or of this machine in EC2.
func (c *chain) fromMachine(request *credentials.CredContext) (credentials.Value, error) {
	if os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" { // which takes precedence in the client
		return c.fromWebIdentity(request, nil)
	}
	machine := &credentials.IAM{}
	full := os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	switch {
	case os.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != "":
		return machine.RetrieveWithCredContext(request)
	case full != "":
		if u, err := url.Parse(full); err != nil || u.Scheme != "https" && !isContainerAgent(u.Hostname()) {
			return credentials.Value{}, errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI is not https, and its host is not a loopback address")
		}
		machine.Endpoint = full
		return machine.RetrieveWithCredContext(request)
	case c.files.isSet("AWS_EC2_METADATA_DISABLED", ""):
		return credentials.Value{}, errors.New(howToSet)
	}
	machine.Endpoint = strings.TrimRight(c.files.setting("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint"), "/")
	ctx, cancel := context.WithTimeout(request.Context, metadataTimeout)
	defer cancel()
	found, err := machine.RetrieveWithCredContext(&credentials.CredContext{Client: c.client, Context: ctx})
	if err != nil {
		err = fmt.Errorf("%s; this machine has no role of EC2: %w", howToSet, err)
	}
	return found, err
}

// isContainerAgent reports whether a host is where ECS, EKS or a process of this machine gives credentials to containers.
func isContainerAgent(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback() || slices.Contains([]string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"}, host)
}

// fromProcess runs the command of a profile, in a shell as the AWS SDKs do.
func fromProcess(ctx context.Context, text string) (credentials.Value, error) {
	command := exec.CommandContext(ctx, "sh", "-c", text)
	command.WaitDelay = time.Second
	out, err := command.Output()
	if err != nil {
		return credentials.Value{}, fmt.Errorf("run credential_process: %w", err)
	}
	var answer struct {
		AccessKeyID                   string `json:"AccessKeyId"`
		SecretAccessKey, SessionToken string
		Expiration                    time.Time
	}
	if json.Unmarshal(out, &answer) != nil {
		return credentials.Value{}, errors.New("credential_process does not answer with JSON") // the error could quote a secret
	}
	return credentials.Value{
		AccessKeyID: answer.AccessKeyID, SecretAccessKey: answer.SecretAccessKey, SessionToken: answer.SessionToken, Expiration: answer.Expiration,
	}, nil
}
