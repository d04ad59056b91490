// SPDX-License-Identifier: Apache-2.0

// Package filters has HTTP handlers around the API, like package filters of the generic server:
//
//   - AnswerPages serves web pages of other origins. AddOriginsFlag and CheckOrigins read and check these origins.
//   - GreetBrowsers shows a page to browsers.
//   - AnswerOldHashes answers requests for documents that have changed.
//   - CloseStalled closes connections, and EndStalls ends HTTP/2 streams, whose clients do not read.
//   - EndStreams aborts streams when a Stream has failed or the server stops.
//   - TakeSecrets takes headers with secrets out of requests.
//   - TellAuthenticated tells which connections have requests of users.
//   - LimitUsers limits the requests of each user, streams included.
//   - MoveClients makes clients of a stopping server connect to another server.
//
// A filter must never touch an answer after its handler has returned: net/http would end the process.
package filters
