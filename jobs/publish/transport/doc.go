// SPDX-License-Identifier: Apache-2.0

// Package transport sends blobs and manifests to a repository of an OCI registry, and fetches them. It finds the credentials, retries during an
// outage, resumes broken uploads and downloads, and gives each failure a reason and a remedy. It does not know what the blobs are.
//
// Authentication, manifests, referrers and their fallback come from oras-go, because it adds one module, refuses realms and redirects
// that would take credentials elsewhere, and takes a client of ours, which retries by class with an injected clock. Its push of a
// blob is one request, which a broken connection ends: upload.go sends blobs in chunks instead, and resumes. regclient does resume,
// but needs 8 modules, waits in real time as long as a registry's Retry-After says, and loses the status in its errors;
// go-containerregistry sends a blob in one request, too, and needs the modules of Docker's CLI.
//
// The package never reads the configuration of a user or a machine by itself, never runs a credential helper unless
// Options.Logins names it, and never puts credentials, tokens, or URLs with a query into errors. It sends credentials
// only to the registry's host and to the token server that the registry names.
package transport
