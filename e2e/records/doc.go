// SPDX-License-Identifier: Apache-2.0

// Package records has the specs of the records of builds: what was built, by whom and with what success can be asked, although
// the builds and their image are gone, and builds depend on none of it.
package records
