-- A returned row is a load day and capsule whose lines received are not accepted +
-- duplicate + rejected + suppressed.

select
    load_date,
    capsule_id,
    received_count,
    accepted_count,
    duplicate_count,
    rejected_count,
    suppressed_count
from {{ ref('ingestion_daily') }}
where
    received_count
    <> accepted_count + duplicate_count + rejected_count + suppressed_count
