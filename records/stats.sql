-- SPDX-License-Identifier: Apache-2.0

counts AS (
    SELECT image_uid,
        COUNT(*) AS builds,
        SUM(CASE WHEN phase = 'Succeeded' THEN 1 ELSE 0 END) AS succeeded,
        SUM(CASE WHEN phase = 'Failed' THEN 1 ELSE 0 END) AS failed,
        SUM(CASE WHEN phase = 'Cancelled' THEN 1 ELSE 0 END) AS cancelled,
        SUM(CASE WHEN phase <> 'Cancelled' AND attempts > 1 THEN 1 ELSE 0 END) AS retried,
        SUM(CASE WHEN phase = 'Failed' AND class = 'User' THEN 1 ELSE 0 END) AS failed_user,
        SUM(CASE WHEN phase = 'Failed' AND class = 'Test' THEN 1 ELSE 0 END) AS failed_test,
        SUM(CASE WHEN phase = 'Failed' AND class = 'Config' THEN 1 ELSE 0 END) AS failed_config,
        SUM(CASE WHEN phase = 'Failed' AND class = 'Infrastructure' THEN 1 ELSE 0 END) AS failed_infrastructure,
        SUM(CASE WHEN phase = 'Failed' AND class = 'Registry' THEN 1 ELSE 0 END) AS failed_registry,
        SUM(CASE WHEN phase = 'Failed' AND class = 'Timeout' THEN 1 ELSE 0 END) AS failed_timeout
    FROM done WHERE one_off = 0 GROUP BY image_uid
),
one_offs AS (
    SELECT image_uid, COUNT(*) AS count FROM done WHERE one_off = 1 GROUP BY image_uid
),
-- The nearest-rank percentile: the least value whose place is not below that part of all.
placed_durations AS (
    SELECT image_uid, duration AS value, ROW_NUMBER() OVER (PARTITION BY image_uid ORDER BY duration) AS place, COUNT(*) OVER (PARTITION BY image_uid) AS total
    FROM done WHERE one_off = 0 AND phase = 'Succeeded' AND duration IS NOT NULL
),
durations AS (
    SELECT image_uid, COUNT(*) AS count,
        MIN(CASE WHEN place * 100 >= total * 50 THEN value END) AS p50,
        MIN(CASE WHEN place * 100 >= total * 90 THEN value END) AS p90
    FROM placed_durations GROUP BY image_uid
),
placed_waits AS (
    SELECT image_uid, queue_time AS value, ROW_NUMBER() OVER (PARTITION BY image_uid ORDER BY queue_time) AS place, COUNT(*) OVER (PARTITION BY image_uid) AS total
    FROM done WHERE one_off = 0 AND queue_time IS NOT NULL
),
waits AS (
    SELECT image_uid, COUNT(*) AS count,
        MIN(CASE WHEN place * 100 >= total * 50 THEN value END) AS p50,
        MIN(CASE WHEN place * 100 >= total * 90 THEN value END) AS p90
    FROM placed_waits GROUP BY image_uid
),
-- Failures and the success after them have had the same number of successes before.
runs AS (
    SELECT image_uid, phase, completed,
        COALESCE(SUM(CASE WHEN phase = 'Succeeded' THEN 1 ELSE 0 END)
            OVER (PARTITION BY image_uid ORDER BY completed, number, uid ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS run
    FROM done WHERE one_off = 0 AND phase IN ('Succeeded', 'Failed') AND completed IS NOT NULL
),
outages AS (
    SELECT image_uid,
        MIN(CASE WHEN phase = 'Failed' THEN completed END) AS began,
        MAX(CASE WHEN phase = 'Succeeded' THEN completed END) AS ended
    FROM runs GROUP BY image_uid, run
),
recoveries AS (
    SELECT image_uid, COUNT(*) AS count, CAST(SUM(ended - began) AS BIGINT) AS total
    FROM outages WHERE began IS NOT NULL AND ended IS NOT NULL GROUP BY image_uid
)
