-- SPDX-License-Identifier: Apache-2.0

-- 1: the documents have the contents of files. 0: there are no files, or summaries instead of their contents. Builds that are
-- recorded may have files.
ALTER TABLE builds ADD COLUMN contents BIGINT NOT NULL DEFAULT 1;
CREATE INDEX builds_with_contents ON builds (image_uid, uid) WHERE contents = 1;
ALTER TABLE images ADD COLUMN keep_files BIGINT NOT NULL DEFAULT 0; -- microseconds, 0: the default
