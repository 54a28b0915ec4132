-- Rows that no signed digest proves, by reason and place: uncovered, pending. Altered and unlisted logs are in quarantine.
-- Replace the two dates.
select integrity, event_date, source_account_id, source_region, count(*) as records, count(distinct source_key) as logs,
       min(source_key) as first_log
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and integrity <> 'verified'
group by integrity, event_date, source_account_id, source_region
order by integrity, event_date, source_account_id, source_region
