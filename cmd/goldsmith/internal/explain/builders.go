// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"context"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// patience is how long the server may take to list its builders.
const patience = 5 * time.Second

// ofServer returns an entry for each reason of the builders that are registered with the server.
func ofServer(ctx context.Context, connection *client.Connection) ([]entry, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	registered, err := connection.ImagesV1alpha1().Builders().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all []entry
	for i := range registered.Items {
		all = append(all, ofBuilder(registered.Items[i].Name, registered.Items[i].Reasons)...)
	}
	return all, nil
}

// byBuilder are the reasons of failures that a builder has reported itself: the message begins with a reason of the builder.
var byBuilder = []v1alpha1.FailureReason{v1alpha1.ReasonBuilderFailed, v1alpha1.ReasonBuilderMisconfigured, v1alpha1.ReasonBuilderTempFail}

// OfFailure returns the reason of a failed build that tells most, and what to do about it, as one line. If the builder failed the build, and its
// reasons have the word with which the message begins, they are those of the builder, and else those of the status. The remedy is empty if there
// is nothing to do.
func OfFailure(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild) (reason, remedy string) {
	failure := build.Status.Failure
	reason, remedy = string(failure.Reason), failure.Reason.Remedy()
	if slices.Contains(byBuilder, failure.Reason) {
		word, _, _ := strings.Cut(failure.Message, ":")
		for _, of := range reasonsOf(ctx, connection, build.Spec.Inputs.Builder.Name) {
			if of.Reason == word {
				reason, remedy = word, of.Remedy
			}
		}
	}
	if remedy != "" {
		remedy = output.OneLine(plainText(remedy))
	}
	return reason, remedy
}

// reasonsOf returns the reasons of a builder that ships, or else of the builder of the server. It returns none if the server does not tell
// them: the message of the failure has the cause, too.
func reasonsOf(ctx context.Context, connection *client.Connection, name string) []v1alpha1.BuilderReason {
	shipped, found := builders.Find(name)
	if found || name == "" {
		return shipped.Capabilities.Reasons
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	registered, err := connection.ImagesV1alpha1().Builders().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return registered.Reasons
}
