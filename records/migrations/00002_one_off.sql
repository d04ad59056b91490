-- SPDX-License-Identifier: Apache-2.0

-- 1: the build does not count for its image. Of the builds that are recorded, reruns and those with parameters of their own.
ALTER TABLE builds ADD COLUMN one_off BIGINT NOT NULL DEFAULT 0;
UPDATE builds SET one_off = 1 WHERE trigger_reason = 'Rerun'
    OR uid IN (SELECT build_uid FROM documents WHERE spec LIKE '%"trigger":{%"parameters":[%"inputs":{%');
