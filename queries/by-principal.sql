-- What one principal did, and every session of it: a user, a role, or one session of a role, by its ARN.
-- Replace the two dates and the ARN, twice each: one equality a branch lets an engine skip, an `or` does not.
select event_time, recipient_account_id, aws_region, source_ip_address, event_source, event_name, error_code, user_arn,
       user_access_key_id, source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and user_arn = 'arn:aws:iam::025000000044:role/backup'
union all
select event_time, recipient_account_id, aws_region, source_ip_address, event_source, event_name, error_code, user_arn,
       user_access_key_id, source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and session_issuer_arn = 'arn:aws:iam::025000000044:role/backup'
order by event_time, source_key, source_index
