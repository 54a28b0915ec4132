-- Every access key: whose it is, when it was first and last used, how often, from how many addresses. Replace the two dates.
select user_access_key_id, max(user_arn) as user_arn, min(event_time) as first_seen, max(event_time) as last_seen,
       count(*) as calls, count(distinct source_ip_address) as addresses
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and user_access_key_id <> ''
group by user_access_key_id
order by last_seen, user_access_key_id
