-- SPDX-License-Identifier: Apache-2.0

-- Locks of artifacts by digest. Builds share a lock, and consecutive locks of an Image are nearly equal.
CREATE TABLE locks (
    digest    TEXT   NOT NULL PRIMARY KEY,
    image_uid TEXT   NOT NULL, -- the Image whose build was the first with the lock, or a build of its own
    base      TEXT   REFERENCES locks (digest), -- the lock that content is a delta to; NULL: content is whole, as each base is
    written   BIGINT NOT NULL, -- when a build last had the lock, or a delta was made to it
    content   BYTEA  NOT NULL -- compressed by zstd; base is its dictionary
);
CREATE INDEX locks_by_image ON locks (image_uid, written, digest);
CREATE INDEX locks_by_base ON locks (base);
CREATE INDEX locks_by_age ON locks (written, digest);

ALTER TABLE artifacts ADD COLUMN lock TEXT NOT NULL DEFAULT ''; -- the digest of the lock; empty: the artifact has none
CREATE INDEX artifacts_by_lock ON artifacts (lock) WHERE lock <> '';
