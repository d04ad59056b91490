-- SPDX-License-Identifier: Apache-2.0

ALTER TABLE builds ADD COLUMN source TEXT NOT NULL DEFAULT ''; -- what the source resolved to, as JSON; empty: it is neither from Git nor from a registry
